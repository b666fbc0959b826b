//! What is shipped, as those meet it who install it: the package on Debian, units under systemd's own checks,
//! the image's files as a root of their own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use harness::fleet::{build_folder, free_address, program, wait_ready};
use harness::http;
use harness::process::Process;

mod containerfile;

/// How exposed a unit may be, in tenths of what `systemd-analyze security` counts up to 10.
const EXPOSURE_MAX: &str = "13";

/// Units that ours wait for.
const SYSTEMS_OWN: [&str; 8] = [
    "basic.target",
    "multi-user.target",
    "network-online.target",
    "shutdown.target",
    "sockets.target",
    "sysinit.target",
    "system.slice",
    "time-sync.target",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests is a member")
}

/// The programs without what only a debugger reads, which is most of a build for tests.
fn stripped(into: &Path) {
    for name in ["bifrost", "bifrost-gateway", "bifrost-node"] {
        let status = Command::new("strip")
            .arg("-o")
            .args([into.join(name), build_folder().join(name)])
            .status()
            .expect("a C compiler brings it");
        assert!(status.success(), "{name}");
    }
}

/// Makes a package of one kind, and says where it is.
fn made(kind: &str, folder: &Path) -> PathBuf {
    let bin = folder.join("bin");
    fs::create_dir(&bin).expect("a folder can be made");
    stripped(&bin);
    let output = Command::new(program("bifrost").expect("it is built"))
        .args(["package", kind, "--time", "1700000000", "--root"])
        .arg(root())
        .arg("--bin")
        .arg(&bin)
        .arg("--out")
        .arg(folder)
        .env("CARGO", env!("CARGO"))
        .output()
        .expect("it runs");
    let said = told(&output);
    assert!(output.status.success(), "{said}");
    PathBuf::from(String::from_utf8_lossy(&output.stdout).trim())
}

fn told(output: &Output) -> String {
    let texts = [&output.stdout, &output.stderr];
    texts.map(|text| String::from_utf8_lossy(text).into_owned()).concat()
}

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = told(&output);
    assert!(output.status.success(), "{command:?}: {said}");
    said
}

/// The commands of a unit, each as words.
fn commands(unit: &str) -> Vec<Vec<&str>> {
    let lines = unit.lines().filter_map(|line| line.strip_prefix("Exec")?.split_once('='));
    lines.map(|(_, command)| command.split_whitespace().collect()).collect()
}

#[test]
fn debian_package_installs_units_that_run_what_it_ships() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let package = made("deb", folder.path());
    let installed = folder.path().join("root");
    run(Command::new("dpkg-deb").arg("--extract").arg(&package).arg(&installed));

    let units = installed.join("usr/lib/systemd/system");
    let mut checked = 0;
    for path in listed(&units) {
        let unit = fs::read_to_string(&path).expect("it is text");
        for words in commands(&unit) {
            checked += 1;
            let words = called(&words);
            let shipped = installed.join(words[0].trim_start_matches('/'));
            if words[0].starts_with("/usr/bin/") {
                assert!(shipped.is_file(), "{} runs {}", path.display(), words[0]);
                takes(&shipped, &words[1..], &installed);
            }
        }
        let page = unit.lines().find_map(|line| line.strip_prefix("Documentation=man:"));
        let page = page.unwrap_or_else(|| panic!("{} names no page", path.display()));
        let page = page.trim_end_matches("(1)");
        let page = installed.join(format!("usr/share/man/man1/{page}.1.gz"));
        assert!(page.is_file(), "{} is not shipped", page.display());
    }
    assert!(checked >= 8, "{checked} commands");

    run(Command::new(installed.join("usr/bin/bifrost"))
        .args(["inventory", "lint", "--inventory", "etc/bifrost/inventory.yaml"])
        .current_dir(&installed));

    // Systemd reads them as they are installed, where it finds what they run and, by name, its own.
    let names: Vec<PathBuf> = listed(&units);
    for own in SYSTEMS_OWN {
        fs::write(units.join(own), "[Unit]\nDescription=there\n").expect("it can be written");
    }
    fs::copy("/usr/bin/env", installed.join("usr/bin/env")).expect("every system has it");
    let said = run(Command::new("systemd-analyze")
        .args(["verify", "--man=no", "--root"])
        .arg(&installed)
        .args(names.iter().filter_map(|path| path.file_name())));
    assert!(!said.contains("bifrost"), "{said}");
    for unit in names.iter().filter(|path| path.extension().is_some_and(|kind| kind == "service")) {
        run(Command::new("systemd-analyze")
            .args(["security", "--offline=true", "--threshold", EXPOSURE_MAX])
            .arg(unit));
    }
}

/// A command without the `env` in front that takes variables from it.
fn called<'a, 'b>(words: &'a [&'b str]) -> &'a [&'b str] {
    match words {
        ["/usr/bin/env", rest @ ..] => {
            let unset = rest.chunks(2).take_while(|pair| pair[0] == "-u").count();
            &rest[2 * unset..]
        }
        words => words,
    }
}

/// Systemd gives no credentials to commands of `ExecReload=`, though the variables that name them are set.
#[test]
fn reload_takes_a_good_configuration_without_the_credentials_of_the_unit() {
    let units = root().join("ops/packaging/systemd");
    for name in ["bifrost-gateway", "bifrost-node"] {
        let unit = fs::read_to_string(units.join(format!("{name}.service"))).expect("it is there");
        let reload = unit.lines().find_map(|line| line.strip_prefix("ExecReload="));
        let words: Vec<&str> = reload.expect("it can be reloaded").split_whitespace().collect();
        let variables = unit.lines().filter_map(|line| line.strip_prefix("Environment="));
        let variables: Vec<(String, &str)> = variables
            .filter_map(|set| set.split_once('='))
            .map(|(name, value)| (value.replace("%d", "/nowhere/credentials"), name))
            .collect();
        assert!(!variables.is_empty(), "{name} has a credential");
        let checks = |words: &[&str]| {
            let there = words.iter().map(|word| match word.rsplit_once('/') {
                Some(("/usr/bin", name)) if name != "env" => {
                    program(name).expect("it is built").display().to_string()
                }
                Some(("/etc/bifrost", config)) => {
                    root().join("ops/packaging").join(config).display().to_string()
                }
                _ => (*word).to_owned(),
            });
            let there: Vec<String> = there.collect();
            let mut command = Command::new(&there[0]);
            command.args(&there[1..]);
            command.envs(variables.iter().map(|(value, name)| (name, value)));
            // Whoever listens to others has a token, which a check need not see.
            command.env("BIFROST_ADMIN__LISTEN", "0.0.0.0:9080").output().expect("it runs")
        };
        let output = checks(&words);
        assert!(output.status.success(), "{name}: {}", told(&output));
        assert!(!checks(called(&words)).status.success(), "{name}: it would need the credential");
    }
}

/// Starts a program by the configuration that it is shipped with, in folders of its own.
fn started(installed: &Path, name: &str, own: &[String]) -> (Process, std::net::SocketAddr) {
    let kind = name.trim_start_matches("bifrost-");
    let config = installed.join(format!("etc/bifrost/{kind}.yaml"));
    let mut text = fs::read_to_string(&config).expect("it is shipped");
    for folder in [format!("/var/log/{name}"), format!("/var/lib/{name}")] {
        let there = installed.join(folder.trim_start_matches('/'));
        fs::create_dir_all(&there).expect("a folder can be made");
        text = text.replace(&folder, &there.display().to_string());
    }
    let etc = installed.join("etc/bifrost").display().to_string();
    fs::write(&config, text.replace("/etc/bifrost", &etc)).expect("it can be written");
    let admin = free_address().expect("a port is free");
    let mut words = vec!["--config".to_owned(), config.display().to_string()];
    let sets = own.iter().cloned().chain([format!("admin.listen={admin}")]);
    words.extend(sets.flat_map(|set| ["--set".to_owned(), set]));
    let program = installed.join("bin").join(name);
    let mut process = Process::start(name, &program, words, installed).expect("it starts");
    wait_ready(&mut process, admin).expect("it becomes ready");
    (process, admin)
}

#[test]
fn programs_of_the_archive_start_as_they_are_configured() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let archive = made("archive", folder.path());
    run(Command::new("tar").arg("--extract").arg("--file").arg(&archive).current_dir(&folder));
    let name = archive.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let installed = folder.path().join(name.trim_end_matches(".tar.gz"));
    let [public, inner] = [(); 2].map(|()| free_address().expect("a port is free"));
    let sets = [format!("http.listen={inner}"), "swarm.listen=[]".to_owned()];
    let (_node, _) = started(&installed, "bifrost-node", &sets);
    let sets = [
        format!("server.listen={public}"),
        format!("upstream.nodes=[{{url: \"http://{inner}\"}}]"),
    ];
    let (_gateway, _) = started(&installed, "bifrost-gateway", &sets);
    assert_eq!(http::get(public, "/help").expect("it answers").status(), 200);
    let licences = fs::read_to_string(installed.join("share/doc/bifrost/THIRD-PARTY"));
    assert!(licences.expect("it is shipped").contains("\nhyper "), "what is linked has licences");
}

/// The files of a folder.
fn listed(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("it can be read");
    entries.map(|entry| entry.expect("it can be read").path()).collect()
}

/// Asserts that a program takes these words: with all of them it says `--help`, and its configuration is
/// one that it takes.
fn takes(shipped: &Path, words: &[&str], installed: &Path) {
    run(Command::new(shipped).args(words).arg("--help"));
    let config = words.iter().position(|word| *word == "--config").map(|at| words[at + 1]);
    if let Some(config) = config.filter(|_| !shipped.ends_with("bifrost")) {
        let config = installed.join(config.trim_start_matches('/'));
        run(Command::new(shipped).arg("--check-config").arg("--config").arg(config));
    }
}

#[test]
fn image_has_all_that_its_programs_load() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let image = made("image", folder.path());
    let inside = containerfile::unpacked(&image);

    for name in ["bifrost", "bifrost-gateway", "bifrost-node"] {
        // By the loader of the image, which looks for libraries nowhere else.
        let loader = inside.join("lib64/ld-linux-x86-64.so.2");
        let program = inside.join("usr/bin").join(name);
        let libraries = inside.join("lib/x86_64-linux-gnu");
        let mut command = Command::new(&loader);
        command.arg("--inhibit-cache").arg("--library-path").arg(&libraries);
        let said = match loader.exists() {
            true => run(command.arg(&program).arg("--version")),
            // Linked statically, or for a processor whose loader has another name.
            false => run(Command::new(&program).arg("--version")),
        };
        assert!(said.starts_with(name), "{said}");
        for line in run(Command::new("ldd").arg(&program)).lines().filter(|line| line.contains('/'))
        {
            let path = line.split_whitespace().find(|word| word.starts_with('/'));
            let path = path.expect("the line names one").trim_start_matches('/');
            assert!(inside.join(path).exists(), "{name} loads {path}, which the image lacks");
        }
    }
    assert!(!inside.join("bin").exists(), "there is no shell");
    let listed = fs::read_to_string(inside.join("usr/share/doc/bifrost/bifrost.cdx.json"));
    let listed = listed.expect("it is shipped");
    assert!(listed.contains("libc.so.6") && listed.contains("pkg:cargo/hyper@"), "{listed:.2000}");
}
