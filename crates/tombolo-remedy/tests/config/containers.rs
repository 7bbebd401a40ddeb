//! Compose files and `docker run`.

use super::*;

pub(super) const COMPOSE: &str = r#"# Media stack
version: "3.9"   # ignored by now

x-common: &common
  restart: unless-stopped
  environment: { TZ: Europe/Berlin, PUID: "1000" }

services:
  # the indexer
  indexer:
    <<: *common
    image: "lscr.io/linuxserver/prowlarr:latest"
    volumes:
    - ./prowlarr:/config
    - type: bind
      source: ./app.db      # one file!
      target: /data/app.db

  player:
        image: jellyfin/jellyfin
        volumes: ['/srv/jf/config:/config2:rw,z', "media:/media"]
        ports:
            - 8096:8096

  notes:
    image: notes
    volumes:
      - ./notes/notes.db:/var/lib/notes/notes.db:ro
      - ${DATA:-/srv/data}/x:/x
      - /anonymous
      - nfs:/mnt/nfs

volumes:
  media:
    driver: local
    driver_opts:
      type: nfs
      o: addr=192.0.2.5,soft,nolock,vers=3   # old
      device: ":/export/media"
  nfs:
    driver_opts: {type: nfs, o: addr=192.0.2.6, device: ':/x'}
"#;

fn becomes(selector: &Selector, changes: &[Change], pieces: &[(&str, &str)]) {
    assert_becomes(Kind::Compose, COMPOSE, selector, changes, pieces);
}

#[test]
fn options_of_a_volume_are_changed_where_it_is_declared() {
    let pieces = [("soft,nolock,vers=3", "vers=4.2,hard")];
    let wanted = [without("soft"), without("nolock"), set("vers=4.2"), set("hard")];
    for name in ["media", "/media", "192.0.2.5:/export/media"] {
        becomes(&named(name), &wanted, &pieces);
    }
    // A comma would end a plain text in braces.
    let pieces = [("o: addr=192.0.2.6,", "o: \"addr=192.0.2.6,vers=4.2\",")];
    becomes(&named("/mnt/nfs"), &[set("vers=4.2")], &pieces);
    becomes(&named("nfs"), &[without("soft")], &[]);
}

#[test]
fn the_directory_is_mounted_in_place_of_the_file() {
    let pieces = [("./notes/notes.db:/var/lib/notes/notes.db", "./notes:/var/lib/notes")];
    becomes(&named("/var/lib/notes/notes.db"), &[Change::BindDirectory], &pieces);
    becomes(&showing("/srv/stack/notes/notes.db"), &[Change::BindDirectory], &pieces);
    let pieces = [("./app.db ", ". "), ("/data/app.db", "/data")];
    becomes(&named("/data/app.db"), &[Change::BindDirectory], &pieces);
}

#[test]
fn a_named_volume_is_declared_too() {
    let pieces = [
        ("./prowlarr:", "indexer-data:"),
        ("volumes:\n  media", "volumes:\n  indexer-data:\n  media"),
    ];
    becomes(&named("/config"), &[volume("indexer-data")], &pieces);
    becomes(&showing("/srv/stack/prowlarr/a.db"), &[volume("indexer-data")], &pieces);
    let pieces = [("/srv/jf/config:", "jf:"), ("volumes:\n  media", "volumes:\n  jf:\n  media")];
    becomes(&named("/config2"), &[volume("jf")], &pieces);
    let short = "services:\n  a:\n    volumes:\n      - ./d:/d  # note\n";
    let pieces = [("./d", "dd"), ("# note\n", "# note\n\nvolumes:\n  dd:\n")];
    assert_becomes(Kind::Compose, short, &named("/d"), &[volume("dd")], &pieces);
    let long = "services:\n  a:\n    volumes:\n      - type: bind\n        source: ./d\n        \
                target: /d\nvolumes: {e: {}}\n";
    let pieces = [("type: bind", "type: volume"), ("./d", "dd"), ("{e: {}}", "{e: {}, dd: {}}")];
    assert_becomes(Kind::Compose, long, &named("/d"), &[volume("dd")], &pieces);
}

#[test]
fn what_a_compose_file_cannot_say_is_refused_with_its_line() {
    let refused = |selector: &Selector, change: Change, words: &str| {
        assert_refused(Kind::Compose, COMPOSE, selector, &[change], words);
    };
    refused(&named("/config"), set("cache=mmap"), "line 14: this is mounted by the host");
    refused(&named("/config"), Change::Virtiofs, "mounted by its host");
    refused(
        &named("/absent"),
        volume("xx"),
        "line 11: /absent may be defined in what is taken over",
    );
    refused(&named("/media"), volume("xx"), "this is a volume already");
    refused(&named("/config"), volume("media"), "another mount is of a volume media already");
    let text = COMPOSE.replace("    volumes:\n    - ./prow", "    volumes: &v\n    - ./prow");
    let text = text.replace("    image: notes\n", "    image: notes\n    tmpfs: *v\n");
    let words = "line 14: an alias elsewhere means the same";
    assert_refused(Kind::Compose, &text, &named("/config"), &[volume("xx")], words);
    let twice = COMPOSE.replace("/config2", "/config");
    assert_refused(Kind::Compose, &twice, &named("/config"), &[volume("xx")], "lines 14 and 21");
    let tag = COMPOSE.replace("    volumes:\n    - ./prow", "    volumes: !override\n    - ./prow");
    let words = "line 13: a tag changes what this means";
    assert_refused(Kind::Compose, &tag, &named("/config"), &[volume("xx")], words);
    let other = "services:\n  a:\n    volumes:\n      - ./a.db:/d/b.db\n";
    let words = "line 4: the file has another name";
    assert_refused(Kind::Compose, other, &named("/d/b.db"), &[Change::BindDirectory], words);
    let root = "services:\n  a:\n    volumes:\n      - ./a.db:/a.db\n";
    let words = "line 4: the directory of the file is the root directory";
    assert_refused(Kind::Compose, root, &named("/a.db"), &[Change::BindDirectory], words);
    assert_refused(Kind::Compose, "a: [\n", &named("/a.db"), &[volume("xx")], "no YAML");
}

pub(super) const SCRIPT: &str = r#"#!/bin/sh
# -v ./old:/config was here once
set -eu
docker volume create --driver local \
    --opt type=nfs --opt "o=addr=192.0.2.5,soft,nolock" \
    --opt device=:/export/media media >/dev/null

docker run -d --name app \
	-v "$PWD/data/app.db:/config/app.db" \
	-v media:/media \
	--mount type=bind,source=/srv/x.db,target=/x/x.db,readonly \
	-e "A=it's" \
	example/app:1 -v /not/a:/mount
cid=$(docker run --rm -v'./my data':/data alpine true); echo "$cid"
"#;

#[test]
fn words_of_a_script_are_edited_within_their_quotes() {
    let becomes = |name: &str, changes: &[Change], pieces: &[(&str, &str)]| {
        assert_becomes(Kind::DockerRun, SCRIPT, &named(name), changes, pieces);
    };
    let pieces = [("data/app.db:/config/app.db", "data:/config")];
    becomes("/config/app.db", &[Change::BindDirectory], &pieces);
    let pieces = [("/srv/x.db,target=/x/x.db", "/srv,target=/x")];
    becomes("/x/x.db", &[Change::BindDirectory], &pieces);
    let pieces = [("type=bind,source=/srv/x.db", "type=volume,source=xx")];
    becomes("/x/x.db", &[volume("xx")], &pieces);
    becomes("/data", &[volume("mine")], &[("'./my data'", "'mine'")]);
    let pieces = [(",soft,nolock", ",vers=4.2")];
    let wanted = [without("soft"), without("nolock"), set("vers=4.2")];
    for name in ["media", "/media", "192.0.2.5:/export/media"] {
        becomes(name, &wanted, &pieces);
    }
}

#[test]
fn what_a_script_does_not_show_is_refused_with_its_line() {
    let refused = |text: &str, name: &str, change: Change, words: &str| {
        assert_refused(Kind::DockerRun, text, &named(name), &[change], words);
    };
    refused(SCRIPT, "/mount", volume("xx"), "/mount is not defined in it");
    refused(SCRIPT, "/data", set("hard"), "line 14: this is mounted by the host");
    let here = "ssh host <<EOF\ndocker run -v a:/b c\nEOF\n";
    refused(here, "/b", volume("xx"), "line 1: a here-document");
    refused("docker run -v $(pwd)/a:/b c\n", "/b", volume("xx"), "line 1: part of this mount");
    refused("x\ndocker run -v 'a:/b c\n", "/b", volume("xx"), "line 2: this quote has no end");
}
