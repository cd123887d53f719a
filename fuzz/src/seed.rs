//! Where fuzzing begins: the captured messages, and repeatable changes of them.

use std::path::{Path, PathBuf};
use std::{fs, io};

/// The folder of this workspace.
pub fn folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Inputs for a target: name and bytes, ordered by name.
///
/// # Panics
///
/// If the files they come from cannot be read: then nothing would be tested.
pub fn inputs(target: &str) -> Vec<(String, Vec<u8>)> {
    let inputs = match target {
        "batch_file" => files_of_cases("batch"),
        "command_line" => command_lines(),
        "control_request" => Ok(crate::control_request::seeds()),
        "daemon_config" => configurations(),
        "label_map" => label_files(),
        "sync_datagram" => vectors("sync"),
        "timeout_command_line" => timeout_command_lines(),
        // Without the message header.
        "flow_message" => vectors("ctnetlink/cases").map(|vectors| {
            let body = |message: Vec<u8>| message.get(16..).unwrap_or_default().to_vec();
            vectors.into_iter().map(|(name, message)| (name, body(message))).collect()
        }),
        _ => vectors("ctnetlink/cases"),
    };
    inputs.expect("vectors and conformance cases are in the repository")
}

/// Writes the inputs of a target into its corpus folder, and returns that and their number.
pub fn write_corpus(target: &str) -> io::Result<(PathBuf, usize)> {
    let corpus = folder().join("corpus").join(target);
    fs::create_dir_all(&corpus)?;
    let inputs = inputs(target);
    for (name, bytes) in &inputs {
        fs::write(corpus.join(name), bytes)?;
    }
    Ok((corpus, inputs.len()))
}

/// All messages in a folder of `conformance/vectors`.
fn vectors(of: &str) -> io::Result<Vec<(String, Vec<u8>)>> {
    let texts = files(&Path::new("../conformance/vectors").join(of), "hex")?.into_iter();
    texts.map(|(name, text)| Ok((name, from_hex(&String::from_utf8_lossy(&text))?))).collect()
}

/// The configuration files of the cases and the samples.
fn configurations() -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut found = files(Path::new("../conformance/conntrackd/config"), "conf")?;
    found.extend(files(Path::new("../etc/conntrackd"), "conf")?);
    found.sort();
    Ok(found)
}

/// The files with this ending in a folder: name and bytes, ordered by name.
fn files(of: &Path, ending: &str) -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder().join(of))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == ending) {
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            found.push((name.into_owned(), fs::read(&path)?));
        }
    }
    found.sort();
    Ok(found)
}

/// The lines `|ct WORDS` of the conformance cases, a NUL between the words. Quotes are left as they are: any word will do.
fn command_lines() -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut found = Vec::new();
    for topic in fs::read_dir(folder().join("../conformance/conntrack/cases"))? {
        for case in fs::read_dir(topic?.path())? {
            let text = fs::read_to_string(case?.path())?;
            let lines = text.lines().filter_map(|line| line.strip_prefix("|ct "));
            found.extend(lines.map(|line| words(line).join("\0")));
        }
    }
    found.sort();
    found.dedup();
    let named = found.into_iter().enumerate();
    Ok(named.map(|(number, words)| (format!("line-{number:04}"), words.into_bytes())).collect())
}

/// The lines `nfct WORDS` of its conformance cases, in the same way.
fn timeout_command_lines() -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut found = Vec::new();
    for (_, text) in files(Path::new("../conformance/nfct/cases"), "case")? {
        let text = String::from_utf8_lossy(&text).into_owned();
        let lines = text.lines().filter_map(|line| line.strip_prefix("nfct "));
        found.extend(lines.map(|line| words(line).join("\0")));
    }
    // What the cases of upstream cannot have.
    found.extend(["--json\0list\0timeout", "get\0helper\0ftp\0--json"].map(str::to_owned));
    found.sort();
    found.dedup();
    let named = found.into_iter().enumerate();
    Ok(named.map(|(number, words)| (format!("line-{number:04}"), words.into_bytes())).collect())
}

/// Everything that stands behind a bar in the cases of a topic: what they feed, make and expect.
fn files_of_cases(topic: &str) -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut found = Vec::new();
    for case in fs::read_dir(folder().join("../conformance/conntrack/cases").join(topic))? {
        let path = case?.path();
        let text = fs::read_to_string(&path)?;
        let lines: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix('|')).collect();
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        found.push((name.into_owned(), lines.join("\n").into_bytes()));
    }
    found.sort();
    Ok(found)
}

/// Label files of every form that the documentation tells, and the cases about labels.
fn label_files() -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut found = files_of_cases("labels")?;
    for (name, text) in [
        ("plain", "# names\n0 zero\n1 eth0-in\n127 last\n1023 most\n1024 too-many\n"),
        ("numbers", "0x10 hexadecimal\n010 octal\n8\n+9 sign\n-1 minus\n"),
        ("blanks", " 33  two words \t\n\t34\ttab\n35 \n"),
        ("repeated", "1 one\n1 again\n2 one\n"),
    ] {
        found.push((name.to_owned(), text.as_bytes().to_vec()));
    }
    Ok(found)
}

/// The words of a shell line up to what is for the shell.
fn words(line: &str) -> Vec<&str> {
    let of_the_shell = |word: &&str| word.contains(['<', '>', '|', '&', ';']);
    line.split_whitespace().take_while(|word| !of_the_shell(word)).collect()
}

fn from_hex(text: &str) -> io::Result<Vec<u8>> {
    let digits: Vec<char> = text.chars().filter(|c| !c.is_whitespace()).collect();
    let bytes = digits.chunks(2).map(|pair| {
        let pair: String = pair.iter().collect();
        u8::from_str_radix(&pair, 16)
    });
    let bytes: Result<Vec<u8>, _> = bytes.collect();
    bytes.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// Changes of inputs, always the same ones for a seed (xorshift64*, by S. Vigna).
#[derive(Debug)]
pub struct Changes(u64);

impl Changes {
    /// The changes of this seed.
    pub fn new(seed: u64) -> Self {
        // The generator stays at 0 for ever.
        Self(seed.max(1))
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    /// A number below `bound`, or 0.
    fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.next() % bound).unwrap_or_default()
    }

    /// The input with one to four changes: bytes and lengths replaced, parts removed, doubled, or taken from `other`.
    pub fn of(&mut self, input: &[u8], other: &[u8]) -> Vec<u8> {
        let mut bytes = input.to_vec();
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len());
            let end = at + self.below(bytes.len() - at + 1).min(64);
            match self.below(7) {
                0 => self.replace(&mut bytes, at),
                1 => self.resize_something(&mut bytes, at),
                2 => bytes.truncate(at),
                3 => drop(bytes.drain(at..end)),
                4 => bytes.extend_from_within(at..end),
                5 => {
                    let from = self.below(other.len());
                    bytes.truncate(at);
                    bytes.extend_from_slice(&other[from..]);
                }
                _ => bytes.extend_from_slice(other),
            }
        }
        bytes
    }

    fn replace(&mut self, bytes: &mut [u8], at: usize) {
        const ODD: [u8; 6] = [0, 1, 0x7f, 0x80, 0xfe, 0xff];
        let odd = ODD[self.below(ODD.len())];
        let bit = 1u8 << self.below(8);
        let flip = self.below(2) == 0;
        if let Some(byte) = bytes.get_mut(at) {
            *byte = if flip { *byte ^ bit } else { odd };
        }
    }

    /// Lengths stand at multiples of 4 and are small.
    fn resize_something(&mut self, bytes: &mut [u8], at: usize) {
        let len = u8::try_from(self.below(64)).unwrap_or_default();
        if let Some(byte) = bytes.get_mut(at & !3) {
            *byte = len;
        }
    }
}
