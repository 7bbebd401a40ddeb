//! How a side that joins comes to the directory in which the sides work, and what is said if it
//! does not.

use super::exchange::Exchange;
use super::post::Post;
use super::{Plan, follower};
use std::path::Path;
use std::time::Instant;
use tombolo_core::errno::Errno;
use tombolo_core::peer::alphabet::Code;
use tombolo_core::peer::invitation::{Endpoint, Invitation};
use tombolo_core::peer::message::{Leaving, Message};
use tombolo_core::peer::part::{LEADER, PeerId};
use tombolo_core::text::printable;
use tombolo_os::scratch::{NotMet, Place, enter_meeting, find_meeting, find_named_meeting};
use tombolo_os::tcp::Caller;
use tombolo_os::user;

/// What helps where a directory does not show to one side what the other makes in it.
pub(super) const LISTEN: &str = "where names that one side makes do not appear on the other, start \
     the side that waits with --peer-listen=ADDRESS, one of its addresses that the other reaches, \
     and they talk over TCP";

/// Goes to where the sides work, and has the talk with the one that waits there.
///
/// # Errors
/// Why there is no talk, for people.
pub(super) fn meet(
    invitation: Invitation,
    own: PeerId,
    plan: Plan,
    directory: &Path,
) -> Result<(Exchange, Place), String> {
    let Invitation { code, endpoint } = invitation;
    match endpoint {
        None => by_names(&code, own, plan, directory),
        Some(endpoint) => by_call(&code, endpoint, own, plan, directory),
    }
}

fn by_names(
    code: &Code,
    own: PeerId,
    plan: Plan,
    directory: &Path,
) -> Result<(Exchange, Place), String> {
    let found = find_meeting(directory, code.letters(), Instant::now() + plan.patience);
    let place = found.and_then(entered).map_err(|error| {
        let why = not_met(&error);
        let hint =
            if error.errno() == Errno::ENOENT { format!("; {LISTEN}") } else { String::new() };
        format!(
            "nobody is met under the code {code} here: {why}; the path must be the same directory \
             as on the other side, and that side must still wait{hint}"
        )
    })?;
    let post = Post::find(own, plan.patience);
    let post = post.map_err(|lost| format!("{lost}; nothing was measured together; {LISTEN}"))?;
    Ok((Exchange::new(own, post), place))
}

fn by_call(
    code: &Code,
    endpoint: Endpoint,
    own: PeerId,
    plan: Plan,
    directory: &Path,
) -> Result<(Exchange, Place), String> {
    let called = Caller::call(endpoint, plan.patience);
    let (caller, greeting) = called.map_err(|error| {
        format!(
            "nobody is met under this code: {error}; that side must still wait, and its address \
             must be reached from here; the part after @ can be replaced by another address of it"
        )
    })?;
    let mut exchange = Exchange::new(own, Post::Caller(Box::new(caller)));
    // The other side forgets who calls and says nothing. If this does not arrive, what follows will
    // tell.
    let _ = exchange.say(LEADER, &Message::Still);
    let name = printable(&greeting);
    let end = Instant::now() + plan.patience;
    match find_named_meeting(directory, &name, code.letters(), end).and_then(entered) {
        Ok(place) => Ok((exchange, place)),
        Err(error) => {
            let (why, hint) = match error {
                NotMet::OtherUser { .. } => (Leaving::OtherUser, ""),
                _ => (
                    Leaving::NotFound,
                    "; if the path is the same directory as there, names that are made there never \
                     come here, and nothing can be measured",
                ),
            };
            exchange.leave(why, follower::LEAVE);
            Err(format!(
                "the side that waits was reached, but not the directory that it has made beside \
                 its target: {}{hint}",
                not_met(&error)
            ))
        }
    }
}

fn entered(place: Place) -> Result<Place, NotMet> {
    enter_meeting(&place).map(|()| place)
}

/// What stopped this side, and what to do where it is the wrong user.
fn not_met(error: &NotMet) -> String {
    let NotMet::OtherUser { path, owner, own } = error else { return error.to_string() };
    let path = path.display();
    let [owner_name, own_name] = [owner, own].map(|user| user::in_words(Path::new("/"), *user));
    if owner == own {
        return format!(
            "{path} belongs to user {owner_name}, as whom this side runs too, and yet it may not \
             work there: the share takes it for another (as root_squash of exports(5) does with \
             root); run both sides as a user who is the same on both"
        );
    }
    format!(
        "{path} belongs to user {owner_name}, and this side works as user {own_name}: run both \
         sides as one user, this one for example by \
         `setpriv --reuid={owner} --regid=GROUP --clear-groups tombolo ...` as root"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_users_and_the_remedy_are_named() {
        let path = Path::new("/data/.tombolo-peer-x").to_owned();
        let text =
            not_met(&NotMet::OtherUser { path: path.clone(), owner: 4_000_001, own: 4_000_002 });
        for wanted in ["/data/.tombolo-peer-x", "4000001", "user 4000002", "--reuid=4000001"] {
            assert!(text.contains(wanted), "{text}");
        }
        let text = not_met(&NotMet::OtherUser { path, owner: 4_000_001, own: 4_000_001 });
        assert!(text.contains("root_squash") && text.contains("4000001"), "{text}");
    }
}
