use proptest::prelude::*;

use super::{is_own_path, parts};

#[test]
fn only_paths_of_ours_are_come_back_to() {
    for own in ["/", "/keys", "/keys/a?b=c&d=%2F%2F", "/audit?by=User&value=x"] {
        assert!(is_own_path(own), "{own}");
    }
    for other in
        ["", "keys", "//evil.example", "/\\evil.example", "https://evil.example", "/a\r\nSet-Cookie: b", "/ a", "/é"]
    {
        assert!(!is_own_path(other), "{other}");
    }
    assert!(!is_own_path(&format!("/{}", "a".repeat(1024))));
}

#[test]
fn paths_are_taken_apart() {
    assert_eq!(parts("/keys/a%2Fb+c/try").unwrap(), ["keys", "a/b+c", "try"]);
    assert_eq!(parts("/a&p=b/c=d").unwrap(), ["a&p=b", "c=d"]);
    assert_eq!(parts("/").unwrap(), [""]);
    assert!(parts("/keys/%FF").is_none() && parts("/keys/%2").is_none());
}

proptest! {
    #[test]
    fn a_name_in_a_path_comes_out_as_it_went_in(name in "[^\u{0}]{1,40}") {
        let path = format!("/people/{}", jomae_console::percent(&name));
        prop_assert!(is_own_path(&path) || path.len() > 1024);
        prop_assert_eq!(parts(&path).unwrap(), vec!["people".to_owned(), name]);
    }
}
