//! What a side says that hears nothing of the others.

use super::exchange::Exchange;
use super::post::Post;
use super::testing::within_scratch;
use super::*;
use tombolo_os::scratch::{enter_meeting, find_meeting};

const OWN: PeerId = PeerId(7);

fn plan() -> Plan {
    let patience = Duration::from_secs(5);
    let short = Duration::from_millis(300);
    Plan { others: 1, wait: short, patience, first_word: short }
}

fn missing(said: Vec<Said>) -> String {
    let texts = said.into_iter().map(|said| match said {
        Said::Missing(text) => text,
        Said::Invitation(_) | Said::Progress(_) | Said::Evidence(_) => String::new(),
    });
    texts.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_side_to_which_no_other_comes_is_told_of_tcp() {
    within_scratch(|| {
        let mut said = Vec::new();
        let exchange = Exchange::new(LEADER, Post::make().expect("made"));
        leader::lead(&Hello::default(), plan(), exchange, &mut |what| said.push(what));
        let text = missing(said);
        assert!(text.contains("no other side has come"), "{text}");
        assert!(text.contains("--peer-listen=ADDRESS"), "{text}");
    });
}

#[test]
fn a_side_that_hears_nothing_in_the_directory_is_told_of_tcp_and_leaves_nothing() {
    within_scratch(|| {
        let code = Code::from_bits(1);
        let name = format!(".tombolo-peer-0-{}", code.letters());
        std::fs::create_dir(&name).expect("made");
        let place = find_meeting(Path::new("."), code.letters(), Instant::now()).expect("found");
        enter_meeting(&place).expect("entered");
        let Post::Names(_) = Post::make().expect("made") else { panic!("by names") };
        let exchange = Exchange::new(OWN, Post::find(OWN, Duration::ZERO).expect("found"));
        let mut said = Vec::new();
        follower::follow(&Hello::default(), plan(), exchange, &place, &mut |what| said.push(what));
        let text = missing(said);
        assert!(text.contains("nothing that the side that waits says"), "{text}");
        assert!(text.contains("--peer-listen=ADDRESS"), "{text}");
        assert_eq!(std::fs::read_dir("peer.mail").expect("still there").count(), 0);
    });
}

#[test]
fn a_directory_in_which_no_messages_appear_is_told_from_one_that_is_gone() {
    within_scratch(|| {
        let Err(lost) = Post::find(OWN, Duration::ZERO) else { panic!("nothing is there") };
        assert_eq!(lost, exchange::Lost::NotShown);
    });
}
