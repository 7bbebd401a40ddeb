//! Whole conversations with a server that says anything: each ends, none by a panic, and none takes
//! more memory than what was asked for can have. For tests, and for the fuzz target of it.
#![allow(clippy::expect_used)] // What is made up here is known.

use super::client::Client;
use crate::migrate::address::Address;
use crate::migrate::dates::Form;
use crate::migrate::expression::Columns;
use crate::migrate::kind::Kind;
use crate::migrate::names::Renamed;
use crate::migrate::plan::{PlannedColumn, PlannedTable};
use crate::migrate::schema::{RowKey, Table};
use crate::migrate::target::Target as _;
use std::collections::VecDeque;
use std::io::{self, Read, Write};

/// A server that has its messages ready, and numbers them as the client expects it.
struct Server {
    messages: VecDeque<Vec<u8>>,
    pending: VecDeque<u8>,
    sequence: u8,
}

impl Read for Server {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.pending.is_empty() {
            let Some(message) = self.messages.pop_front() else { return Ok(0) };
            let [low, middle, high, ..] = (message.len() as u64).to_le_bytes();
            self.pending.extend([low, middle, high, self.sequence]);
            self.pending.extend(message);
            self.sequence = self.sequence.wrapping_add(1);
        }
        // One packet at a time: the next one's number depends on what is written meanwhile.
        self.pending.read(into)
    }
}

impl Write for Server {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let [_, _, _, sequence] = bytes {
            self.sequence = sequence.wrapping_add(1);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What a server says first, with all capabilities.
fn greeting(plugin: &str) -> Vec<u8> {
    let mut message = vec![10];
    message.extend_from_slice(b"8.4.2\0\x01\0\0\0abcdefgh\0\xff\xf7\x2d\x02\0\xff\xff\x15");
    message.extend_from_slice(&[0; 10]);
    message.extend_from_slice(b"ijklmnopqrst\0");
    message.extend_from_slice(plugin.as_bytes());
    message.push(0);
    message
}

/// The definition of a column, `def` and five empty names before what tells its type.
fn definition(kind: u8) -> Vec<u8> {
    let mut message = b"\x03def\0\0\0\0\0\x0c\x2d\0\xff\0\0\0".to_vec();
    message.extend_from_slice(&[kind, 0, 0, 0, 0, 0]);
    message
}

/// Answers to all that is asked while connecting, so that what follows is reached.
fn polite() -> Vec<Vec<u8>> {
    let done = b"\0\0\0\x02\0\0\0".to_vec();
    let row = |text: &[u8]| {
        let mut value = vec![u8::try_from(text.len()).unwrap_or_default()];
        value.extend_from_slice(text);
        let end = b"\xfe\0\0\x02\0".to_vec();
        [vec![1], definition(0xfd), end.clone(), value, end]
    };
    let mut messages = vec![greeting("mysql_native_password"), done.clone()];
    for text in [&b"8.4.2"[..], b"67108864", b"1"] {
        messages.extend(row(text));
    }
    messages.extend(std::iter::repeat_n(done, 15));
    messages
}

fn address() -> Address {
    Address::parse("mysql://app:secret@127.0.0.1/app?sslmode=disable").expect("an address")
}

fn server(messages: Vec<Vec<u8>>) -> Box<Server> {
    Box::new(Server { messages: messages.into(), pending: VecDeque::new(), sequence: 0 })
}

/// A column of each kind that is read in its own way.
fn table() -> PlannedTable {
    let kinds = [Kind::Text, Kind::Bytes, Kind::Real, Kind::Integer, Kind::Boolean];
    let kinds = kinds.into_iter().chain([Kind::Decimal(None), Kind::Moment(Form::TZ)]);
    let column = |(number, kind)| PlannedColumn {
        name: format!("c{number}"),
        kind,
        not_null: false,
        generated: None,
        usual: None,
    };
    PlannedTable {
        source: Table {
            name: "t".to_owned(),
            columns: Vec::new(),
            primary_key: Vec::new(),
            key: RowKey::Rowid("rowid"),
            rowid_column: None,
            sequence: None,
            checks: Vec::new(),
            indexes: Vec::new(),
            foreign_keys: Vec::new(),
        },
        name: "t".to_owned(),
        columns: kinds.enumerate().map(column).collect(),
        known: Columns::new(),
        column_names: Renamed::default(),
        rows: 1,
        largest_key: None,
        null_in_key: false,
        longest_row_bytes: 4096,
    }
}

/// Asks in each of the ways in which answers are read; errors are answers as well.
fn converse(messages: Vec<Vec<u8>>) -> bool {
    let Ok(mut client) = Client::over(server(messages), &address()) else { return false };
    let _ = client.rows("trying", "SELECT 1");
    let _ = client.read_rows("trying", &table(), &mut |_, _| Ok(()));
    let _ = client.has_table("trying", "t");
    let _ = client.execute("trying", "SELECT 1");
    let _ = client.begin_rows("trying", "t", &["a"]);
    let _ = client.send("trying", &mut b"1\n".to_vec());
    let _ = client.end_rows("trying", 1);
    let _ = client.lock("trying");
    true
}

/// Has a conversation with a server that says these bytes: its first one tells whether it is polite
/// until the login is done; then each message follows a byte with its length.
#[cfg(feature = "testing")]
pub(crate) fn converse_by(bytes: &[u8]) {
    let Some((manner, mut rest)) = bytes.split_first() else { return };
    let mut messages = match manner % 3 {
        0 => polite(),
        1 => vec![greeting("caching_sha2_password")],
        _ => Vec::new(),
    };
    while let Some((length, after)) = rest.split_first() {
        let (message, after) = after.split_at(after.len().min(usize::from(*length)));
        messages.push(message.to_vec());
        rest = after;
    }
    converse(messages);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use proptest::prelude::*;

    fn messages() -> impl Strategy<Value = Vec<Vec<u8>>> {
        let text = |text: &'static [u8]| Just(text.to_vec());
        let message = prop_oneof![
            text(b"\0\0\0\x02\0\0\0"),
            text(b"\x01"),
            text(b"\xfe\0\0\x02\0"),
            text(b"\x0f10.11-MariaDB-x"),
            text(b"\x058.4.2"),
            text(b"\x011"),
            text(b"\xfb"),
            text(b"\xff\x15\x04#28000denied to 'a'@'b'"),
            text(b"\xfemysql_native_password\0abcdefghijklmnopqrst\0"),
            text(b"\x01\x03"),
            any::<u8>().prop_map(definition),
            proptest::collection::vec(any::<u8>(), 0..40),
        ];
        proptest::collection::vec(message, 0..80)
    }

    #[test]
    fn a_polite_server_is_connected_to() {
        assert!(converse(polite()));
    }

    const END: &[u8] = b"\xfe\0\0\x02\0";

    fn refusal<T>(answer: Result<T, Error>) -> String {
        answer.err().map(|error| error.to_string()).unwrap_or_default()
    }

    fn client(messages: Vec<Vec<u8>>) -> Client {
        Client::over(server([polite(), messages].concat()), &address()).expect("polite")
    }

    #[test]
    fn an_answer_that_does_not_end_is_given_up() {
        let columns = 4000_u16.to_le_bytes();
        let mut messages = vec![[&[0xfc][..], &columns].concat()];
        messages.extend(std::iter::repeat_n(definition(0xfd), 4000));
        messages.push(END.to_vec());
        // In memory a NULL is many times longer than in a message.
        messages.extend(std::iter::repeat_n(vec![0xfb; 4000], 800));
        let said = refusal(client(messages).rows("trying", "SELECT 1"));
        assert!(said.contains("longer than any that was asked for"), "{said}");
    }

    #[test]
    fn an_answer_has_no_more_columns_than_a_table_can_have() {
        let mut messages = vec![b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff".to_vec()];
        messages.extend(std::iter::repeat_n(definition(0xfd), 5000));
        let mut client = client(messages);
        let said = refusal(client.rows("trying", "SELECT 1"));
        assert!(said.contains("not understood"), "{said}");
    }

    #[test]
    fn a_message_is_refused_by_its_length_before_it_is_read() {
        let at_first = vec![vec![10; 100_000]];
        let said = refusal(Client::over(server(at_first), &address()));
        assert!(said.contains("longer than any answer"), "{said}");

        let table = table();
        let count = u8::try_from(table.columns.len()).expect("few");
        let mut messages = vec![vec![0, 1, 0, 0, 0, count, 0, 0, 0]];
        for _ in 0..2 {
            messages.extend(std::iter::repeat_n(definition(0xfd), count.into()));
            messages.push(END.to_vec());
            messages.push(vec![count]);
        }
        messages.pop();
        messages.push(vec![0; 5000]);
        let said = refusal(client(messages).read_rows("trying", &table, &mut |_, _| Ok(())));
        assert!(said.contains("longer than any answer"), "{said}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn nothing_that_a_server_says_at_first_stops_it(messages in messages()) {
            converse([vec![greeting("caching_sha2_password")], messages].concat());
        }

        #[test]
        fn nothing_that_a_server_says_later_stops_it(messages in messages()) {
            prop_assert!(converse([polite(), messages].concat()));
        }

        #[test]
        fn any_greeting_is_read(greeting in any::<Vec<u8>>()) {
            converse(vec![greeting]);
        }
    }
}
