use std::os::unix::fs::symlink;

use super::*;

#[test]
fn links_and_odd_files_are_not_opened() {
    let temp = tempfile::tempdir().unwrap();
    let at = |name: &str| temp.path().join(name);
    fs::write(at("file"), "precious").unwrap();
    symlink(at("file"), at("link")).unwrap();
    symlink(at("nothing"), at("dangling")).unwrap();
    symlink(temp.path(), at("dir-link")).unwrap();
    fs::create_dir(at("dir")).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, at("fifo"), 0o600.into()).unwrap();
    let opens: [fn(&Path) -> io::Result<File>; 3] = [open, open_of_others, open_to_write];
    for open in opens {
        for (name, words) in [("link", "symbolic link"), ("dangling", "symbolic link"), ("fifo", "not a regular")] {
            let error = open(&at(name)).err().unwrap_or_else(|| panic!("{name} was opened"));
            assert!(error.to_string().contains(words), "{name}: {error}");
        }
        assert!(open(&at("dir")).is_err());
        assert!(open(&at("file")).is_ok());
    }
    assert!(is_file(&at("link")).is_err() && is_file(&at("fifo")).is_err() && is_file(&at("dir")).is_err());
    assert!(is_file(&at("file")).unwrap() && !is_file(&at("none")).unwrap());
    assert!(private_dir(&at("dir-link")).is_err() && private_dir(&at("file")).is_err());
    private_dir(&at("dir/below/more")).unwrap();
    assert_eq!(about(&at("dir/below/more")).unwrap().mode() & 0o777, 0o700);
    // What the configuration names may be a link, but never a pipe.
    assert!(open_configured(&at("link")).is_ok());
    assert!(open_configured(&at("fifo")).is_err());
    assert!(open_configured_to_append(&at("link")).is_ok());
    assert!(!at("nothing").exists(), "nothing was made through a link");
}

#[test]
fn nothing_is_written_through_a_link() {
    let temp = tempfile::tempdir().unwrap();
    let at = |name: &str| temp.path().join(name);
    fs::write(at("file"), "precious").unwrap();
    symlink(at("file"), at("a.new")).unwrap();
    symlink(at("file"), at("b")).unwrap();
    write_private(&at("a"), b"a").unwrap();
    write_private(&at("b"), b"b").unwrap();
    assert_eq!(fs::read(at("file")).unwrap(), b"precious");
    assert_eq!((fs::read(at("a")).unwrap(), fs::read(at("b")).unwrap()), (b"a".to_vec(), b"b".to_vec()));
    assert!(about(&at("b")).unwrap().is_file());
    symlink(at("file"), at("c")).unwrap();
    assert!(copy_of_others(&at("a"), &at("c")).is_err() && copy_of_others(&at("c"), &at("d")).is_err());
    assert_eq!(fs::read(at("file")).unwrap(), b"precious");
}

#[test]
fn secrets_are_private() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("secret");
    fs::write(&path, "x").unwrap();
    let chmod = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    for (mode, words) in [
        (0o644, "can be read by other users; run: chmod 600"),
        (0o604, "can be read"),
        (0o660, "can be read"),
        (0o602, "can be changed by other users; run: chmod 600"),
        (0o620, "can be changed"),
    ] {
        chmod(&path, mode);
        let error = read_secret(&path, Secret::Ours, 10).unwrap_err().to_string();
        assert!(error.contains(words) && error.contains(path.to_str().unwrap()), "{error}");
        assert!(read_secret(&path, Secret::Configured, 10).is_err());
    }
    for mode in [0o600, 0o400] {
        chmod(&path, mode);
        assert_eq!(&**read_secret(&path, Secret::Ours, 10).unwrap(), b"x");
    }
    // A secret that root has mounted for the group of the service.
    chmod(&path, 0o640);
    assert_eq!(read_secret(&path, Secret::Configured, 10).is_ok(), about(&path).unwrap().uid() == 0);
    chmod(&path, 0o600);
    let link = temp.path().join("link");
    symlink(&path, &link).unwrap();
    assert!(read_secret(&link, Secret::Configured, 10).is_ok() && read_secret(&link, Secret::Ours, 10).is_err());

    for mode in [0o777, 0o770, 0o707, 0o1777, 0o730, 0o702] {
        chmod(temp.path(), mode);
        let error = check_data_dir(temp.path()).unwrap_err().to_string();
        assert!(error.contains("can be changed by other users; run: chmod 700"), "{error}");
    }
    for mode in [0o700, 0o755] {
        chmod(temp.path(), mode);
        check_data_dir(temp.path()).unwrap();
    }
}
