//! Text for people.

mod explanation;
mod page;
mod report;
mod words;

pub(crate) use explanation::explanation;
pub(crate) use page::Page;
pub(crate) use report::{Detail, report};
