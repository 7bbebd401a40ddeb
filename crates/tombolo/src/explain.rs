//! `tombolo explain`: from error text to causes.

use crate::args::{ExplainArguments, Format};
use crate::exit::{Exit, Failure};
use std::io::Read as _;

pub(crate) fn run(arguments: &ExplainArguments) -> Result<Exit, Failure> {
    let text = match arguments.input.as_deref() {
        None | Some("-") => {
            let mut text = String::new();
            std::io::stdin()
                .read_to_string(&mut text)
                .map_err(|error| Failure::new(Exit::NotExamined, error))?;
            text
        }
        Some(text) => text.to_owned(),
    };
    let explanation = tombolo_doctor::explain::explain(&text);
    match arguments.format {
        Format::Json | Format::Text => {
            let json = serde_json::to_string(&explanation)
                .map_err(|error| Failure::new(Exit::NotExamined, error))?;
            anstream::println!("{json}");
        }
    }
    Ok(Exit::Healthy)
}
