//! One rule for output: people get tables, programs JSON, one member, or what a query makes of the result.

use jomae_tests::Site;
use serde_json::json;

use super::key;

#[test]
fn forms() {
    let site = Site::default();
    let server = site.start();
    let (one, two) = (key(&server), key(&server));
    server.jomae(&["alias", "create", "first", &one]).ok();
    server.jomae(&["key", "disable", &two]).ok();
    let text = |words: &[&str]| server.jomae(words).ok().text().to_owned();

    let shown = text(&["key", "describe", "first"]);
    assert!(shown.lines().any(|line| line.split_whitespace().eq(["KeyId", &one])), "{shown}");
    assert!(!shown.contains("\u{1b}["), "no colours in a pipe");
    assert_eq!(text(&["key", "describe", "first", "--field", "KeyId"]), format!("{one}\n"));
    assert_eq!(text(&["key", "describe", "first", "--field", "KeyMetadata.KeyId"]), format!("{one}\n"));
    assert_eq!(text(&["key", "describe", "first", "--field", "Aliases"]), "alias/first\n");
    let listed = text(&["key", "list", "--field", "KeyId"]);
    assert_eq!(listed.lines().count(), 2);
    assert_eq!(text(&["key", "list", "--query", "[?KeyState=='Disabled'].KeyId"]), format!("{two}\n"));
    assert_eq!(text(&["key", "list", "--query", "[].KeyId | length(@)"]), "2\n");
    let selected = ["key", "list", "--query", "[?KeyState=='Disabled'].{id: KeyId}", "--output", "json"];
    assert_eq!(server.jomae(&selected).ok().json(), json!([{"id": two}]));
    assert_eq!(text(&["key", "list", "--state", "PendingImport", "--field", "KeyId"]), "", "nothing is no mistake");

    // Behind the action too, where everything else goes to the API.
    let words = ["call", "Encrypt", "--KeyId", &one, "--Plaintext", "aGVsbG8=", "--field", "CiphertextBlob"];
    let blob = text(&words);
    let opened = ["call", "Decrypt", "--CiphertextBlob", blob.trim_end(), "--query", "Plaintext"];
    assert_eq!(text(&opened), "aGVsbG8=\n");

    server.jomae(&["key", "describe", "first", "--field", "KeyIdd"]).failed(1, &["KeyIdd", "is KeyId meant?"]);
    server.jomae(&["key", "list", "--query", "[?"]).failed(2, &["--query"]);
    let both = ["call", "ListKeys", "--PageSize", "1", "--field", "KeyId", "--query", "@"];
    server.jomae(&both).failed(2, &["exclude each other"]);
    assert_eq!(server.jomae(&["key", "list", "--field", "KeyId", "--query", "@"]).code, Some(2));
}
