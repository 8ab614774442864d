//! Topology against `/sys` trees written for the test: hosts nobody has at hand, and trees with holes.

use std::fs;
use std::path::Path;

use super::*;

/// Writes the part of `/sys` that belongs to one CPU.
fn write_cpu(root: &Path, cpu: usize, core: usize, socket: usize, siblings: &str) {
    let base = root.join(format!("devices/system/cpu/cpu{cpu}"));
    fs::create_dir_all(base.join("topology")).unwrap();
    fs::write(base.join("topology/core_id"), format!("{core}\n")).unwrap();
    fs::write(base.join("topology/physical_package_id"), format!("{socket}\n")).unwrap();
    fs::write(base.join("topology/thread_siblings_list"), format!("{siblings}\n")).unwrap();
    let caches =
        [("1", "Data", "48K"), ("1", "Instruction", "64K"), ("2", "Unified", "2048K"), ("3", "Unified", "32M")];
    for (index, (level, kind, size)) in caches.iter().enumerate() {
        let cache = base.join(format!("cache/index{index}"));
        fs::create_dir_all(&cache).unwrap();
        fs::write(cache.join("level"), format!("{level}\n")).unwrap();
        fs::write(cache.join("type"), format!("{kind}\n")).unwrap();
        fs::write(cache.join("size"), format!("{size}\n")).unwrap();
    }
}

/// Two sockets of two cores with two threads each, numbered as Linux does: 0-3 first threads, 4-7 second threads.
/// The cores of both sockets are numbered 0 and 1.
fn two_sockets() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for cpu in 0..8 {
        let first = cpu % 4;
        write_cpu(root.path(), cpu, first % 2, first / 2, &format!("{first},{}", first + 4));
    }
    let system = root.path().join("devices/system");
    fs::write(system.join("cpu/online"), "0-7\n").unwrap();
    fs::write(system.join("cpu/isolated"), "3,7\n").unwrap();
    for (node, cpus) in [(0, "0-1,4-5"), (1, "2-3,6-7")] {
        fs::create_dir_all(system.join(format!("node/node{node}"))).unwrap();
        fs::write(system.join(format!("node/node{node}/cpulist")), format!("{cpus}\n")).unwrap();
    }
    fs::create_dir_all(system.join("node/power")).unwrap();
    root
}

#[test]
fn everything_the_tree_tells_is_read() {
    let root = two_sockets();
    let topology = Topology::read_from(root.path(), Some(&[0, 1, 2, 3, 4, 5, 6]));
    assert_eq!(topology.cpus.len(), 8);
    let expected = Cpu {
        cpu: 7,
        core: 1,
        socket: 1,
        numa: 1,
        siblings: vec![3, 7],
        l1_bytes: Some(48 << 10),
        l2_bytes: Some(2 << 20),
        l3_bytes: Some(32 << 20),
        allowed: false,
        isolated: true,
    };
    assert_eq!(topology.cpus[7], expected);
    assert_eq!(topology.physical_cores(), 4);
}

#[test]
fn physical_cores_come_before_siblings_and_siblings_before_sharing() {
    let root = two_sockets();
    let topology = Topology::read_from(root.path(), None);
    assert_eq!(topology.placement_order(), [0, 1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(topology.placement(4, None).unwrap(), Placement { cpus: vec![0, 1, 2, 3], note: None });
    let six = topology.placement(6, None).unwrap();
    assert_eq!(six.cpus, [0, 1, 2, 3, 4, 5]);
    assert!(six.note.unwrap().contains("on 4 physical cores"));
    let nine = topology.placement(9, None).unwrap();
    assert_eq!(nine.cpus, [0, 1, 2, 3, 4, 5, 6, 7, 0]);
    assert!(nine.note.unwrap().contains("9 partitions share 8 CPUs"));
}

#[test]
fn only_allowed_cpus_are_used() {
    let root = two_sockets();
    // A cpuset with both threads of core 1 and one thread of core 2.
    let topology = Topology::read_from(root.path(), Some(&[1, 5, 6]));
    assert_eq!(topology.physical_cores(), 2);
    assert_eq!(topology.placement(2, None).unwrap().cpus, [1, 6]);
    assert_eq!(topology.placement(3, None).unwrap().cpus, [1, 6, 5]);
}

#[test]
fn named_cores_are_taken_in_the_order_named_or_refused() {
    let root = two_sockets();
    let topology = Topology::read_from(root.path(), Some(&[0, 1, 2, 3]));
    assert_eq!(topology.placement(2, Some(&[3, 0])).unwrap(), Placement { cpus: vec![3, 0], note: None });
    assert!(topology.placement(3, Some(&[3, 0])).unwrap().note.unwrap().contains("share 2 CPUs"));
    let siblings = Topology::read_from(root.path(), None).placement(2, Some(&[0, 4])).unwrap();
    assert!(siblings.note.unwrap().contains("on 1 physical core"));
    let error = topology.placement(1, Some(&[5])).unwrap_err().to_string();
    assert_eq!(error, "cores: CPU 5 is not allowed for this process; this process may use 0-3");
    let error = topology.placement(1, Some(&[64])).unwrap_err().to_string();
    assert!(error.contains("CPU 64 is not online"), "{error}");
    assert!(topology.placement(1, Some(&[])).is_err());
}

#[test]
fn a_tree_with_holes_still_places() {
    let root = tempfile::tempdir().unwrap();
    let topology = Topology::read_from(root.path(), Some(&[2, 3]));
    assert_eq!(
        topology.cpus.iter().map(|cpu| (cpu.cpu, cpu.core, cpu.l2_bytes)).collect::<Vec<_>>(),
        [(2, 2, None), (3, 3, None)]
    );
    assert_eq!(topology.placement(2, None).unwrap(), Placement { cpus: vec![2, 3], note: None });
    assert_eq!(Topology::read_from(root.path(), None).placement(1, None).unwrap().cpus, [0]);
}

#[test]
fn this_host_has_a_cpu_for_a_partition() {
    let topology = Topology::read();
    let placement = topology.placement(1, None).unwrap();
    assert!(topology.cpus.iter().any(|cpu| cpu.cpu == placement.cpus[0] && cpu.allowed));
}

#[test]
fn cpu_lists_are_parsed_and_written() {
    assert_eq!(parse_cpu_list("2-5,12").unwrap(), [2, 3, 4, 5, 12]);
    assert_eq!(parse_cpu_list(" 7 , 3 ").unwrap(), [7, 3]);
    for wrong in ["", "a", "3-1", "1,1", "1-3,2", "1-", "-1", "0-4096", "1,,2"] {
        let error = parse_cpu_list(wrong).unwrap_err();
        assert_eq!(error.exit_status(), 2, "{wrong}");
        assert!(error.to_string().contains("2-9,12"), "{error}");
    }
    assert_eq!(format_cpu_list(&[0, 1, 2, 3, 8, 10, 11]), "0-3,8,10,11");
    assert_eq!(format_cpu_list(&[]), "");
}

#[test]
fn sizes_have_units() {
    assert_eq!(parse_size_bytes("491520K"), Some(480 << 20));
    assert_eq!(parse_size_bytes("1G"), Some(1 << 30));
    assert_eq!(parse_size_bytes("64"), Some(64));
    assert_eq!(parse_size_bytes(""), None);
    assert_eq!(parse_size_bytes("xK"), None);
}
