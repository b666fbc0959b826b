//! Folders that are there as a whole or as they were, however their place is written.

use super::*;

const MARK: &str = ".mark";

fn begin(place: impl AsRef<Path>) -> Result<NewFolder, FolderError> {
    NewFolder::begin(place.as_ref(), MARK, "ours")
}

/// Puts a folder with one text there.
fn put(place: impl AsRef<Path>, text: &str) -> Result<(), FolderError> {
    let new = begin(place)?;
    new.write("a/b", text)?;
    new.finish()
}

fn read(place: &Path) -> String {
    fs::read_to_string(place.join("a/b")).unwrap_or_default()
}

fn names(folder: &Path) -> Vec<OsString> {
    let entries = fs::read_dir(folder).expect("it can be listed");
    let mut names: Vec<_> = entries.map(|entry| entry.expect("it is there").file_name()).collect();
    names.sort();
    names
}

#[test]
fn a_folder_is_there_as_a_whole_or_as_it_was() {
    let above = tempfile::tempdir().expect("a folder can be made");
    let place = above.path().join("site");
    for text in ["one", "two"] {
        let new = begin(&place).expect("it begins");
        new.write("a/b", text).expect("it is written");
        assert_ne!(read(&place), text, "not yet");
        new.finish().expect("it is put there");
        assert_eq!(read(&place), text);
    }
    let new = begin(&place).expect("it begins");
    new.write("a/b", "three").expect("it is written");
    new.write("a/b/c", "no folder can be where a file is").expect_err("it cannot be written");
    drop(new);
    assert_eq!(read(&place), "two");
    assert_eq!(names(above.path()), ["site"], "nothing is left beside it");
}

#[test]
fn who_may_read_a_folder_made_here_may_read_what_takes_its_place() {
    let above = tempfile::tempdir().expect("a folder can be made");
    let (site, usual) = (above.path().join("site"), above.path().join("usual"));
    put(&site, "one").expect("it is put there");
    fs::create_dir(&usual).expect("a folder can be made");
    let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode();
    assert_eq!(mode(&site), mode(&usual));
}

#[test]
fn a_place_is_the_same_however_it_is_written() {
    let above = tempfile::tempdir().expect("a folder can be made");
    let root = above.path();
    fs::create_dir(root.join("other")).expect("a folder can be made");
    std::os::unix::fs::symlink(root.join("site"), root.join("link")).expect("a link can be made");
    for way in ["site", "site/", "site/.", "./site//", "other/../site/", "link", "link/"] {
        put(root.join(way), way).unwrap_or_else(|error| panic!("{way}: {error}"));
        assert_eq!(read(&root.join("site")), way);
    }
    assert!(root.join("link").is_symlink(), "what leads there still does");
    assert_eq!(names(root), ["link", "other", "site"]);
    assert_eq!(names(&root.join("site")), [MARK, "a"]);
}

#[test]
fn folders_above_are_made() {
    let above = tempfile::tempdir().expect("a folder can be made");
    let place = above.path().join("srv/www/");
    put(&place, "one").expect("it is put there");
    assert_eq!(read(&place), "one");
}

#[test]
fn a_place_without_a_name_is_refused_and_stays() {
    for place in [".", "..", "/", "./", "src/.."] {
        let refused = begin(place).map(drop).expect_err("it has no name");
        assert!(matches!(refused, FolderError::NoName(_)), "{place}: {refused}");
        assert_eq!(refused.exit(), Exit::Usage);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn where_a_file_system_is_mounted_nothing_is_touched() {
    let refused = begin("/proc/").map(drop).expect_err("nothing can take its place");
    assert!(matches!(refused, FolderError::Mounted(_)), "{refused}");
    assert!(refused.to_string().contains("such as /proc/site"), "{refused}");
}

#[test]
fn what_somebody_else_wrote_is_not_touched() {
    let place = tempfile::tempdir().expect("a folder can be made");
    fs::write(place.path().join("mine"), "mine").expect("it is written");
    let refused = begin(place.path());
    assert!(matches!(refused, Err(FolderError::NotOurs(_))), "{refused:?}");
    assert_eq!(names(place.path()), ["mine"]);
}

#[test]
fn one_run_at_a_time_writes_a_folder() {
    let above = tempfile::tempdir().expect("a folder can be made");
    let place = above.path().join("site");
    let first = begin(&place).expect("it begins");
    let refused = begin(above.path().join("site/")).map(drop).expect_err("another one runs");
    let said = refused.to_string();
    assert!(said.starts_with("another publish into ") && said.contains("is running"), "{said}");
    begin(above.path().join("site.half")).expect("another place is free");
    first.write("a/b", "one").expect("the other one took nothing away");
    first.finish().expect("it is put there");
    put(&place, "two").expect("it is free again");
    assert_eq!(names(above.path()), ["site"]);
}

#[test]
fn what_killed_runs_left_is_put_back_or_removed() {
    let above = tempfile::tempdir().expect("a folder can be made");
    let root = above.path();
    let ours = |name: &str| {
        put(root.join(name), name).expect("it is put there");
    };
    ours(".site.half.aB3dE6");
    ours(".site.old");
    ours(".site.half.x.half.aB3dE6");
    fs::write(root.join(".site.lock"), "").expect("it is written");
    fs::create_dir(root.join(".site.half.empty1")).expect("a folder can be made");
    fs::create_dir(root.join(".site.half.theirs")).expect("a folder can be made");
    fs::write(root.join(".site.half.theirs/mine"), "mine").expect("it is written");
    drop(begin(root.join("site")).expect("it begins"));
    assert_eq!(read(&root.join("site")), ".site.old", "it was moved aside and is back");
    ours(".site.old");
    drop(begin(root.join("site")).expect("it begins"));
    // What another place's run writes, and what is not ours, is left alone.
    assert_eq!(names(root), [".site.half.theirs", ".site.half.x.half.aB3dE6", "site"]);
}

#[test]
fn without_exchange_the_old_folder_goes_last_and_comes_back() {
    let above = tempfile::tempdir().expect("a folder can be made");
    let [half, place, old] = ["half", "site", "old"].map(|name| above.path().join(name));
    put(&half, "one").expect("it is put there");
    in_two_steps(&half, &place, &old).expect("nothing was there");
    assert_eq!(read(&place), "one");
    put(&half, "two").expect("it is put there");
    in_two_steps(&half, &place, &old).expect("it takes its place");
    assert_eq!((read(&place), names(above.path())), ("two".to_owned(), vec!["site".into()]));
    in_two_steps(&half, &place, &old).expect_err("there is nothing to put there");
    assert_eq!((read(&place), names(above.path())), ("two".to_owned(), vec!["site".into()]));
}

#[test]
fn everybody_may_read_it_whom_the_system_lets() {
    let above = tempfile::tempdir().expect("a folder can be made");
    let mode = |path: &Path| fs::metadata(path).expect("it is there").mode();
    fs::create_dir(above.path().join("usual")).expect("a folder can be made");
    put(above.path().join("site"), "one").expect("it is put there");
    assert_eq!(mode(&above.path().join("site")), mode(&above.path().join("usual")));
}
