//! The JSON form. The module is for tests only, and says so because the lints for tests depend on it.

#[cfg(test)]
mod objects;
