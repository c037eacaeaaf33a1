//! Layers that mean harm, or that were harmed.
use std::fs;
use std::io::{Read, Write};

use super::*;

#[test]
fn ways_out_are_refused() {
    let place = Place::new();
    let outside = place.dir.join("outside");
    let outside = outside.to_str().unwrap();
    let evil = |tar: Tar| {
        let message = place.refused(&tar, ErrorCode::Hostile);
        assert!(message.contains("evil"), "names the entry: {message}");
    };
    evil(Tar::default().file("../outside/evil", "x"));
    evil(Tar::default().file("a/../../outside/evil", "x"));
    evil(Tar::default().symlink("out", outside).file("out/evil", "x"));
    evil(Tar::default().symlink("out", "../outside").file("out/evil", "x"));
    evil(Tar::default().symlink("a", "b").symlink("b", "../outside").file("a/evil", "x"));
    evil(Tar::default().dir("d/").symlink("d/up", "../..").file("d/up/outside/evil", "x"));
    evil(Tar::default().symlink("loop", "loop").file("loop/evil", "x"));
    evil(Tar::default().dir("d/").file("d/f", "").symlink("d", outside).dir("d/evil/"));
    evil(Tar::default().symlink("out", outside).file("out/.wh.evil", ""));
    evil(Tar::default().hard_link("evil", "../outside/secret"));
    evil(Tar::default().symlink("out", outside).hard_link("evil", "out/secret"));
    evil(Tar::default().symlink("out", "../outside").hard_link("evil", "out/secret"));
    evil(Tar::default().dir("evil/").file("evil/.wh...", ""));
    evil(Tar::default().dir("evil/").file("evil/.wh..", ""));
    evil(Tar::default().dir("evil/").file("evil/.wh.", ""));
    evil(Tar::default().pax(&[("path", b"../evil")]).file("harmless", "x"));
    evil(Tar::default().pax(&[("linkpath", b"../outside/secret")]).hard_link("evil", "harmless"));
    let long = Tar::default().header(b'L', "././@LongLink", "", 8, |_| {}).data(b"../evil\0").file("harmless", "x");
    evil(long);
    place.refused(&Tar::default().symlink("./", outside), ErrorCode::Hostile);
    place.refused(&Tar::default().file(".", "x"), ErrorCode::Hostile);
}

#[test]
fn links_that_point_out_are_kept_but_never_followed() {
    let place = Place::new();
    let outside = place.dir.join("outside");
    let secret = outside.join("secret");
    let tar = Tar::default()
        .symlink("link", secret.to_str().unwrap())
        // Replaces the link itself, not what it points to.
        .file("link", "mine")
        .symlink("other", secret.to_str().unwrap())
        .hard_link("copy", "other")
        .symlink("dir", outside.to_str().unwrap())
        .dir("dir/")
        .file("dir/file", "x");
    place.unpack(&tar).unwrap();
    assert_eq!(fs::read_to_string(place.layer().join("link")).unwrap(), "mine");
    assert_eq!(fs::read_link(place.layer().join("copy")).unwrap(), secret);
    assert!(fs::symlink_metadata(place.layer().join("dir")).unwrap().is_dir());
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
    assert_eq!(fs::read_to_string(&secret).unwrap(), "untouched");
}

#[test]
fn bombs_are_refused() {
    let place = Place::new();
    let zeroes = |count: u64| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        let header = Tar::default().header(b'0', "bomb", "", count as usize, |_| {});
        encoder.write_all(&header.0).unwrap();
        std::io::copy(&mut std::io::repeat(0).take(count + 1024), &mut encoder).unwrap();
        encoder.finish().unwrap()
    };
    let error = in_child(|| unpack(&place.request(&zeroes(9 << 20), Compression::Gzip))).unwrap_err();
    assert_eq!(error.code, ErrorCode::Limit, "{error}");
    place.assert_clean();

    let many = (0..2_001).fold(Tar::default(), |tar, number| tar.dir(&format!("{number}/")));
    place.refused(&many, ErrorCode::Limit);
    let hidden = (0..2_001).fold(Tar::default(), |tar, _| tar.header(b'g', "pax", "", 0, |_| {}));
    place.refused(&hidden, ErrorCode::Limit);
    place.refused(&Tar::default().header(b'x', "pax", "", 2 << 20, |_| {}), ErrorCode::Limit);
    // A file that says it is larger than anything.
    let huge = Tar::default().header(b'0', "huge", "", 0, |block| {
        block[124..136].copy_from_slice(&[0x80, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
    });
    place.refused(&huge, ErrorCode::Failed);
}

#[test]
fn damaged_archives_are_refused_and_never_crash() {
    let place = Place::new();
    place.refused(&Tar::default().file("cut", "data").header(b'0', "short", "", 5000, |_| {}).data(b"too little"), ErrorCode::Failed);
    place.refused(&Tar::default().header(b'S', "sparse", "", 0, |_| {}), ErrorCode::Failed);
    place.refused(&Tar::default().header(b'Z', "unknown", "", 0, |_| {}), ErrorCode::Failed);
    place.refused(&Tar::default().pax(&[("GNU.sparse.major", b"1")]).file("sparse", ""), ErrorCode::Failed);
    place.refused(&Tar::default().hard_link("link", "missing"), ErrorCode::Failed);
    place.refused(&Tar::default().dir("dir/").hard_link("link", "dir"), ErrorCode::Failed);
    place.refused(&Tar::default().file("file", "x").file("file/below", "x"), ErrorCode::Failed);
    let (_, tar) = real_tree(&place, "pax");
    let mut state = 42u64;
    let mut next = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    for _ in 0..150 {
        let mut damaged = tar.clone();
        for _ in 0..4 {
            // Headers lie at the beginning of blocks; most of this archive is one large file.
            let at = next(24) * 512 + next(512);
            damaged[at] = next(256) as u8;
        }
        let request = place.request(&damaged, Compression::None);
        if in_child(|| unpack(&request)).is_ok() {
            remove_tree(&place.layer(), &place.dir).unwrap();
        }
        place.assert_clean();
    }
}
