//! The kernel map, drawn as boxes and arrows that stand below one another on a narrow screen.

use super::writer::Html;
use tombolo_core::report::{KernelCount, Topology};

/// One station of the map's line, and the link that leads on from it.
#[derive(Debug, PartialEq, Eq)]
struct Station<'a> {
    name: &'a str,
    link: Option<&'a str>,
}

/// The line is drawn by the topology stage: `host (zfs) -9p-> guest -bind-> container`, with the
/// lines of box drawings.
fn stations(map: &str) -> Vec<Station<'_>> {
    let mut stations = Vec::new();
    let mut rest = map;
    while let Some((name, after)) = rest.split_once(" \u{2500}")
        && let Some((link, next)) = after.split_once("\u{2192} ")
    {
        stations.push(Station { name, link: Some(link) });
        rest = next;
    }
    stations.push(Station { name: rest, link: None });
    stations
}

/// A container has no kernel of its own: it is drawn inside the box of the one that it shares.
fn is_inside(link: &str) -> bool {
    matches!(link, "bind" | "mount" | "layers")
}

pub(super) fn draw(parent: &mut Html, topology: &Topology, database: bool) {
    let stations = stations(&topology.map);
    let served = stations.iter().any(|one| one.link.is_some_and(|link| !is_inside(link)));
    parent.with("figure", &[("class", "map")], |figure| {
        figure.with("ol", &[("aria-label", "Kernels on the way to the file")], |list| {
            let mut all = stations.iter().enumerate().peekable();
            while let Some((index, station)) = all.next() {
                let storage = index == 0;
                let class = if storage && served { "kernel far" } else { "kernel own" };
                list.with("li", &[("class", class)], |item| {
                    item.leaf_of("span", "role", role(storage, served));
                    let name = if station.name == "?" { "not known" } else { station.name };
                    item.leaf_of("span", "name", name);
                    if storage {
                        let held = if database { "the database file" } else { "the files" };
                        item.leaf_of("span", "file", held);
                    }
                    let mut link = station.link;
                    while let Some(inside) = link.filter(|link| is_inside(link)) {
                        let Some((_, container)) = all.next() else { break };
                        item.with("span", &[("class", "inside")], |span| {
                            span.leaf_of("span", "role", &format!("inside it, by {inside}"));
                            span.leaf_of("span", "name", container.name);
                        });
                        link = container.link;
                    }
                });
                if let Some(link) = station.link.filter(|link| !is_inside(link)) {
                    list.with("li", &[("class", "link")], |item| item.leaf("span", link));
                }
            }
        });
        figure.leaf("figcaption", &caption(topology));
    });
}

fn role(storage: bool, served: bool) -> &'static str {
    match (storage, served) {
        (true, true) => "what holds the storage",
        (true, false) => "the only kernel in sight",
        (false, _) => "kernel that was examined",
    }
}

fn caption(topology: &Topology) -> String {
    let count = match topology.reach.count {
        KernelCount::One => "One kernel reaches the path",
        KernelCount::Several => "More than one kernel reaches the path",
        KernelCount::NotKnown => "Whether another kernel reaches the path is not known",
    };
    format!("{count}: {}.", topology.reach.because)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stations_are_told_from_links() {
        let line = "host (zfs) \u{2500}9p\u{2192} guest \u{2500}bind\u{2192} docker container web";
        let all = stations(line);
        let names: Vec<_> = all.iter().map(|one| (one.name, one.link)).collect();
        assert_eq!(
            names,
            [("host (zfs)", Some("9p")), ("guest", Some("bind")), ("docker container web", None)]
        );
        assert_eq!(stations("this machine"), [Station { name: "this machine", link: None }]);
        assert_eq!(stations("a \u{2500}b"), [Station { name: "a \u{2500}b", link: None }]);
    }
}
