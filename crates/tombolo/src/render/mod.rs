//! Text and pages for people.

mod explanation;
mod html;
mod machine;
mod migration;
mod page;
mod plan;
mod post;
mod protocol;
mod report;
mod simplify;
mod status;
#[cfg(test)]
pub(crate) mod testing;
mod timeline;
mod trace;
mod tune;
mod words;

pub(crate) use explanation::explanation;
pub(crate) use html::html;
pub(crate) use machine::machine;
pub(crate) use migration::migration;
pub(crate) use page::Page;
pub(crate) use plan::{applied, plan};
pub(crate) use post::post;
pub(crate) use protocol::protocol;
pub(crate) use report::{Detail, report};
pub(crate) use simplify::simplify;
pub(crate) use status::status;
pub(crate) use timeline::timeline;
pub(crate) use trace::{Pages, trace};
pub(crate) use tune::tune;
