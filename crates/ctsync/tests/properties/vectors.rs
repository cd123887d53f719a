//! The vectors of `conformance/vectors/sync` as bytes.

use std::fs;
use std::path::Path;

/// All of them, by name.
pub(crate) fn vectors() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conformance/vectors/sync");
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "hex"))
        .collect();
    files.sort();
    assert_eq!(files.len(), 294);
    files
        .iter()
        .map(|file| {
            let text = fs::read_to_string(file).unwrap();
            let digits: Vec<u32> = text.chars().filter_map(|c| c.to_digit(16)).collect();
            digits.chunks(2).map(|pair| u8::try_from(pair[0] << 4 | pair[1]).unwrap()).collect()
        })
        .collect()
}
