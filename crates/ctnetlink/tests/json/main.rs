//! JSON says what XML says, field by field: of every captured flow and expectation, and of arbitrary flows. And it is
//! what the published schema describes.
//!
//! Both texts are read by parsers that know nothing of this project, and turned into the same flat list of fields.
//!
//! The modules are for tests only, and say so because the lints for tests depend on it.

#[cfg(test)]
mod agreement;
#[cfg(test)]
#[path = "../vectors/case.rs"]
#[expect(dead_code, reason = "the tests of the vectors need more of it")]
mod case;
#[cfg(test)]
mod fields;
#[cfg(test)]
#[path = "../properties/strategies.rs"]
mod strategies;
