//! A label file, and the names that it gives to bits.

use flow::{LabelMap, Labels};

/// Reads the bytes as a label file.
///
/// Names and bits are one to one, and every name is one that a label list can hold.
///
/// # Panics
///
/// If that does not hold.
pub fn label_map(bytes: &[u8]) {
    let map = LabelMap::parse(bytes);
    let mut found = 0;
    for bit in 0..2048 {
        let Some(name) = map.name(bit) else { continue };
        found += 1;
        assert!(bit < 1024);
        assert_eq!(map.bit(name), Some(bit));
        assert!(!name.is_empty() && name.trim() == name);
        assert!(!name.contains([',', '\n']));
    }
    assert_eq!(map.is_empty(), found == 0);
    if let Some(labels) = Labels::from_bytes(bytes) {
        assert_eq!(labels.is_empty(), labels.bits().next().is_none());
        assert!(labels.contains(&labels) && labels.without(&labels).is_empty());
    }
}
