//! Text for people.

mod explanation;
mod machine;
mod migration;
mod page;
mod plan;
mod report;
mod words;

pub(crate) use explanation::explanation;
pub(crate) use machine::machine;
pub(crate) use migration::migration;
pub(crate) use page::Page;
pub(crate) use plan::{applied, plan};
pub(crate) use report::{Detail, report};
