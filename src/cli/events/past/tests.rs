//! Which versions of a file are told from its lengths.

use super::*;

/// The versions of a text, as their lines, bytes and what their names are of.
fn found(text: &str, lengths: &[u64]) -> Vec<(i64, u64, u64)> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("lines");
    std::fs::write(&file, text).unwrap();
    let found = versions(&file, lengths).unwrap();
    assert_eq!(found.len(), lengths.len());
    let of = |(version, length): (&Version, &u64)| {
        let digest = Sha256::digest(&text.as_bytes()[..*length as usize]);
        assert_eq!(version.stream, format!("import:{}", hex(digest)));
        (version.lines, version.bytes, *length)
    };
    found.iter().zip(lengths).map(of).collect()
}

#[test]
fn a_version_is_its_whole_lines() {
    let text = "{1}\n{2}\r\n\n{4} \n{5}";
    let all = [4, 9, 10, 15, 18];
    let whole = [(1, 4), (2, 9), (3, 10), (4, 15), (5, 18)];
    let told: Vec<_> = found(text, &all).iter().map(|v| (v.0, v.1)).collect();
    assert_eq!(told, whole);
    // A line without its end is whole; half a line is none.
    let told = found(text, &[1, 3, 5, 7, 8, 13, 14, 18]);
    let wanted = [
        (0, 0, 1),
        (1, 3, 3),
        (1, 4, 5),
        (2, 7, 7),
        (2, 8, 8),
        (4, 13, 13),
        (4, 14, 14),
        (5, 18, 18),
    ];
    assert_eq!(told, wanted);
    assert_eq!(found("", &[]), []);
}

#[test]
fn versions_have_their_first_line_in_common() {
    let folder = tempfile::tempdir().unwrap();
    let family = |name: &str, text: &str| {
        let file = folder.path().join(name);
        std::fs::write(&file, text).unwrap();
        first_line(&file).unwrap()
    };
    let (own, bytes) = family("a", "{1}").unwrap();
    assert_eq!(bytes, 3);
    assert_eq!(family("b", "{1}\r\n{2}\n"), Some((own.clone(), 9)));
    assert_ne!(family("c", "{2}\n").unwrap().0, own);
    assert_eq!(family("d", ""), None);
}
