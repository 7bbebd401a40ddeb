//! The first messages of a connection,
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase.html>.

use super::client::said;
use super::packet::{Fields, Packets};
use crate::error::Error;
use crate::migrate::address::{Address, Way};
use crate::migrate::stream::{Stream, refused};
use crate::migrate::tls;
use sha1::{Digest as _, Sha1};
use sha2::Sha256;

const DURING: &str = "logging in";

/// Capabilities,
/// <https://dev.mysql.com/doc/dev/mysql-server/latest/group__group__cs__capabilities__flags.html>.
const LONG_PASSWORD: u32 = 1;
const LONG_FLAG: u32 = 4;
const CONNECT_WITH_DB: u32 = 8;
const LOCAL_FILES: u32 = 0x80;
const PROTOCOL_41: u32 = 0x200;
const TLS: u32 = 0x800;
const TRANSACTIONS: u32 = 0x2000;
const SECURE_CONNECTION: u32 = 0x8000;
const PLUGIN_AUTH: u32 = 0x8_0000;
const ASKED: u32 = LONG_PASSWORD
    | LONG_FLAG
    | CONNECT_WITH_DB
    | LOCAL_FILES
    | PROTOCOL_41
    | TRANSACTIONS
    | SECURE_CONNECTION
    | PLUGIN_AUTH;
const NEEDED: u32 = CONNECT_WITH_DB | PROTOCOL_41 | SECURE_CONNECTION | PLUGIN_AUTH;

/// `utf8mb4_general_ci`, which all of them know; the real one is set later.
const CHARACTER_SET: u8 = 45;
const MESSAGE_BYTES_MAX: u32 = 0x4000_0000;

/// What the server says first.
struct Greeting {
    capabilities: u32,
    plugin: String,
    nonce: Vec<u8>,
}

/// Whether others can read what is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Channel {
    Private,
    Open,
}

/// Logs in by a connection to an address.
///
/// # Errors
/// [`Error::Server`]
pub(super) fn log_in(stream: Box<dyn Stream>, address: &Address) -> Result<Packets, Error> {
    let mut packets = Packets::new(stream);
    let mut message = Vec::new();
    packets.read(DURING, &mut message)?;
    if message.first() == Some(&0xff) {
        return Err(said(DURING, &message));
    }
    let not_known = || refused(DURING, "its greeting is not that of a MySQL server");
    let greeting = greeting(&message).ok_or_else(not_known)?;
    if greeting.capabilities & NEEDED != NEEDED {
        return Err(refused(DURING, "it is older than MySQL 5.7 and MariaDB 10.2"));
    }
    let encrypts = tls::wanted(&address.trust, greeting.capabilities & TLS != 0)?;
    let channel = match &address.way {
        Way::Tcp(..) if !encrypts => Channel::Open,
        Way::Tcp(..) | Way::Unix(_) => Channel::Private,
    };
    let asked = if encrypts { ASKED | TLS } else { ASKED };
    let capabilities = asked & (greeting.capabilities | LONG_PASSWORD);
    let mut answer = Vec::new();
    answer.extend_from_slice(&capabilities.to_le_bytes());
    answer.extend_from_slice(&MESSAGE_BYTES_MAX.to_le_bytes());
    answer.push(CHARACTER_SET);
    answer.extend_from_slice(&[0; 23]);
    if encrypts {
        packets.write(DURING, &answer)?;
        packets = packets.map(DURING, |stream| tls::secure(stream, &address.trust))?;
    }
    answer.extend_from_slice(address.user.as_bytes());
    answer.push(0);
    let password = Password { text: address.password.as_deref(), channel };
    // What another method would answer is asked for once more.
    let first = password.answer(&greeting.plugin, &greeting.nonce).unwrap_or_default();
    answer.push(u8::try_from(first.len()).unwrap_or_default());
    answer.extend_from_slice(&first);
    answer.extend_from_slice(address.database.as_bytes());
    answer.push(0);
    answer.extend_from_slice(greeting.plugin.as_bytes());
    answer.push(0);
    packets.write(DURING, &answer)?;
    loop {
        packets.read(DURING, &mut message)?;
        match message.split_first() {
            Some((0, _)) => return Ok(packets),
            Some((0xff, _)) => return Err(said(DURING, &message)),
            Some((0xfe, switch)) => {
                let mut fields = Fields(switch);
                let plugin = String::from_utf8_lossy(fields.ended()).into_owned();
                let nonce = fields.0.strip_suffix(&[0]).unwrap_or(fields.0);
                packets.write(DURING, &password.answer(&plugin, nonce)?)?;
            }
            // caching_sha2_password: 3 it knows the hash, 4 it wants the password itself.
            Some((1, [3])) => {}
            Some((1, [4])) => packets.write(DURING, &password.itself()?)?,
            _ => return Err(refused(DURING, "the way to log in is not known here")),
        }
    }
}

fn greeting(message: &[u8]) -> Option<Greeting> {
    let mut fields = Fields(message);
    (fields.byte()? == 10).then_some(())?;
    fields.ended();
    fields.u32()?;
    let mut nonce = fields.bytes(8)?.to_vec();
    fields.byte()?;
    let low = fields.u16()?;
    fields.bytes(3)?;
    let high = fields.u16()?;
    let nonce_bytes = usize::from(fields.byte()?);
    fields.bytes(10)?;
    let rest = fields.bytes(nonce_bytes.saturating_sub(8).max(13))?;
    nonce.extend_from_slice(rest.strip_suffix(&[0]).unwrap_or(rest));
    let plugin = String::from_utf8(fields.ended().to_vec()).ok()?;
    let capabilities = u32::from(low) | u32::from(high) << 16;
    Some(Greeting { capabilities, plugin, nonce })
}

struct Password<'a> {
    text: Option<&'a str>,
    channel: Channel,
}

impl Password<'_> {
    /// What a method of the server wants to hear.
    fn answer(&self, plugin: &str, nonce: &[u8]) -> Result<Vec<u8>, Error> {
        let text = self.text.unwrap_or_default();
        match plugin {
            "mysql_native_password" | "caching_sha2_password" if text.is_empty() => Ok(Vec::new()),
            "mysql_native_password" => Ok(native(text, nonce)),
            "caching_sha2_password" => Ok(caching(text, nonce)),
            "mysql_clear_password" | "sha256_password" | "dialog" => self.itself(),
            other => {
                let text = format!("the way to log in, {other}, is not known here");
                Err(refused(DURING, text))
            }
        }
    }

    fn itself(&self) -> Result<Vec<u8>, Error> {
        if self.channel == Channel::Open {
            let text = "it wants the password itself, which is not sent without TLS: end the \
                        address in ?sslmode=require";
            return Err(refused(DURING, text));
        }
        let mut bytes = self.text.unwrap_or_default().as_bytes().to_vec();
        bytes.push(0);
        Ok(bytes)
    }
}

/// `SHA1(password) XOR SHA1(nonce, SHA1(SHA1(password)))`
fn native(password: &str, nonce: &[u8]) -> Vec<u8> {
    let once = Sha1::digest(password);
    let mask = Sha1::new().chain_update(nonce).chain_update(Sha1::digest(once)).finalize();
    once.iter().zip(mask).map(|(byte, mask)| byte ^ mask).collect()
}

/// `SHA256(password) XOR SHA256(SHA256(SHA256(password)), nonce)`
fn caching(password: &str, nonce: &[u8]) -> Vec<u8> {
    let once = Sha256::digest(password);
    let mask = Sha256::new().chain_update(Sha256::digest(once)).chain_update(nonce).finalize();
    once.iter().zip(mask).map(|(byte, mask)| byte ^ mask).collect()
}
