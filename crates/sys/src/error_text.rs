//! The C library's words for an errno.

use std::io;

/// The text of `strerror` for an errno, which upstream's messages end with.
pub fn error_text(error: &io::Error) -> String {
    let text = error.to_string();
    match error.raw_os_error() {
        // The standard library appends the number to the C library's text.
        Some(code) => match text.strip_suffix(&format!(" (os error {code})")) {
            Some(bare) => bare.to_owned(),
            None => text,
        },
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    #[test]
    fn text_is_that_of_the_c_library() {
        for (errno, text) in
            [(95, "Operation not supported"), (16, "Device or resource busy"), (17, "File exists")]
        {
            assert_eq!(super::error_text(&io::Error::from_raw_os_error(errno)), text);
        }
    }
}
