//! Jobs that come and go leave nothing behind: no thread, no descriptor, no megabyte.

use crate::rig::{Rig, Served, endless, eventually};

fn rss_kib(server: &Served) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// A thousand with CORELANE_TEST_CYCLES=1000.
#[test]
fn deploying_and_stopping_leaks_nothing() {
    let cycles = std::env::var("CORELANE_TEST_CYCLES").map_or(100, |text| text.parse::<usize>().unwrap());
    let rig = Rig::new();
    let server = rig.serve();
    let cycle = |name: &str| {
        server.deploy(name, &endless(10_000));
        server.until_state(name, "running");
        server.delete(name).expect(200);
    };
    // The allocator and the thread stacks find their sizes first.
    (0..20).for_each(|number| cycle(&format!("warm-{number}")));
    let look = || (server.count("task"), server.count("fd"));
    // What is there when the last connection has closed: the least that is seen for a while.
    let looks: Vec<(usize, usize)> = (0..50)
        .map(|_| {
            std::thread::sleep(std::time::Duration::from_millis(20));
            look()
        })
        .collect();
    let tasks = looks.iter().map(|(tasks, _)| *tasks).min().unwrap();
    let descriptors = looks.iter().map(|(_, descriptors)| *descriptors).min().unwrap();
    let before_kib = rss_kib(&server);
    (0..cycles).for_each(|number| cycle(&format!("job-{number}")));
    eventually("threads and descriptors to go", || {
        let (now_tasks, now_descriptors) = look();
        (now_tasks <= tasks && now_descriptors <= descriptors).then_some(())
    });
    let grown_kib = rss_kib(&server).saturating_sub(before_kib);
    println!("{cycles} cycles: {tasks} threads, {descriptors} descriptors, {before_kib} KiB, grown by {grown_kib} KiB");
    // Not a page per cycle: what grows is the allocator's slack, whatever the number of cycles.
    assert!(grown_kib < 16 << 10, "grown by {grown_kib} KiB in {cycles} cycles");
    assert!(rig.read("corelane-data/jobs.json").contains("\"jobs\": []"));
}
