//! Text for people.

mod explanation;
mod machine;
mod page;
mod plan;
mod report;
mod trace;
mod words;

pub(crate) use explanation::explanation;
pub(crate) use machine::machine;
pub(crate) use page::Page;
pub(crate) use plan::{applied, plan};
pub(crate) use report::{Detail, report};
pub(crate) use trace::{Pages, trace};
