//! The section `Helper`: read and checked, and nothing else yet.

use nix::sys::signal::Signal;

use crate::stage::Stage;

#[test]
fn a_daemon_with_helpers_says_that_they_come_later_and_goes_on() {
    let Some(stage) = Stage::new("helper") else { return };
    let helper = "Helper { Setup on Type ftp inet tcp { QueueNum 10 QueueLen 100 \
        Policy ftp { ExpectMax 1 ExpectTimeout 300 } } }";
    let warning = "[warning] user-space helpers come with a later version: `Helper' has no effect \
        in this version\n";
    for others in ["", "Stats { }"] {
        stage.configure(&format!("{helper} {others}"), "");
        let daemon = stage.console();
        let runtime = stage.run(&["-s", "runtime"]);
        assert!(runtime.stdout.starts_with(b"daemon uptime: 0 min\n"));
        // Who asks is not warned.
        assert_eq!(String::from_utf8(runtime.stderr).unwrap(), "");
        let (exit, said) = daemon.end(Signal::SIGTERM);
        assert_eq!(exit, Some(0));
        assert!(said.ends_with(warning) && said.lines().count() == 1, "{said}");
        let daemon = stage.background();
        assert_eq!(daemon.said.lines().count(), 1);
        daemon.end(Signal::SIGTERM);
        assert_eq!(stage.text("log").matches(warning).count(), 2);
        std::fs::remove_file(stage.path("log")).unwrap();
    }
}
