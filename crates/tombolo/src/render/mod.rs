//! Text for people.

mod page;
mod report;
mod words;

pub(crate) use page::Page;
pub(crate) use report::{Detail, report};
