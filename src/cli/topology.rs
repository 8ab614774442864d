//! `corelane topology`: the CPUs of the host and which of them partitions get.

use serde_json::json;

use super::arguments::TopologyArguments;
use super::stats::write_stdout;
use crate::error::Result;
use crate::sys::{self, Cpu, Placement, Topology, format_cpu_list, parse_cpu_list};

/// Prints the topology as a table or as JSON.
pub(super) fn show(arguments: &TopologyArguments) -> Result<()> {
    let topology = Topology::read();
    let cores = arguments.cores.as_deref().map(parse_cpu_list).transpose()?;
    let named = cores.as_ref().map(Vec::len);
    let partitions = arguments.partitions.map(|partitions| partitions as usize).or(named);
    let placement = topology.placement(partitions.unwrap_or_else(|| topology.physical_cores()), cores.as_deref())?;
    let text = if arguments.json {
        format!("{:#}\n", document(&topology, &placement, sys::has_avx512()))
    } else {
        table(&topology, &placement, sys::has_avx512())
    };
    write_stdout(&text)
}

fn document(topology: &Topology, placement: &Placement, avx512: bool) -> serde_json::Value {
    let cpu = |cpu: &Cpu| {
        json!({
            "cpu": cpu.cpu, "core": cpu.core, "socket": cpu.socket, "numa": cpu.numa, "siblings": cpu.siblings,
            "l1_bytes": cpu.l1_bytes, "l2_bytes": cpu.l2_bytes, "l3_bytes": cpu.l3_bytes,
            "allowed": cpu.allowed, "isolated": cpu.isolated,
        })
    };
    json!({
        "cpus": topology.cpus.iter().map(cpu).collect::<Vec<_>>(),
        "physical_cores": topology.physical_cores(),
        "placement_order": topology.placement_order(),
        "placement": {"partitions": placement.cpus.len(), "cpus": placement.cpus, "note": placement.note},
        "avx512": avx512,
        "build_features": sys::build_features().split(',').collect::<Vec<_>>(),
    })
}

fn table(topology: &Topology, placement: &Placement, avx512: bool) -> String {
    let mut out = row(["cpu", "core", "socket", "numa", "L1d", "L2", "L3", "allowed", "isolated"].map(str::to_string));
    for cpu in &topology.cpus {
        out.push_str(&row([
            cpu.cpu.to_string(),
            cpu.core.to_string(),
            cpu.socket.to_string(),
            cpu.numa.to_string(),
            size(cpu.l1_bytes),
            size(cpu.l2_bytes),
            size(cpu.l3_bytes),
            yes_no(cpu.allowed),
            yes_no(cpu.isolated),
        ]));
    }
    let order = topology.placement_order();
    let cores = topology.physical_cores();
    out.push_str(&format!("\nthis process may use {}", counted(order.len(), "CPU")));
    out.push_str(&format!(" on {}; ", counted(cores, "physical core")));
    out.push_str(&format!("partitions take them in this order: {}\n", format_cpu_list(&order)));
    let partitions = counted(placement.cpus.len(), "partition");
    let cpus: Vec<String> = placement.cpus.iter().map(usize::to_string).collect();
    let noun = if cpus.len() == 1 { "CPU" } else { "CPUs" };
    out.push_str(&format!("{partitions} would run on {noun} {}\n", cpus.join(",")));
    if let Some(note) = &placement.note {
        out.push_str(&format!("note: {note}\n"));
    }
    out.push_str(&format!("AVX-512: {}\n", if avx512 { "this CPU has it" } else { "not on this CPU" }));
    out
}

/// One line of the table, numbers to the right.
fn row(cells: [String; 9]) -> String {
    let widths = [5, 6, 8, 6, 9, 9, 9, 9, 10];
    let line: String = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:>width$}")).collect();
    format!("{line}\n")
}

fn size(bytes: Option<u64>) -> String {
    match bytes {
        None => "-".into(),
        Some(bytes) if bytes >= 1 << 20 && bytes.is_multiple_of(1 << 20) => format!("{} MiB", bytes >> 20),
        Some(bytes) => format!("{} KiB", bytes >> 10),
    }
}

fn yes_no(value: bool) -> String {
    if value { "yes" } else { "no" }.into()
}

fn counted(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host() -> Topology {
        let cpu = |cpu: usize| Cpu {
            cpu,
            core: cpu / 2,
            socket: 0,
            numa: 0,
            siblings: vec![cpu / 2 * 2, cpu / 2 * 2 + 1],
            l1_bytes: Some(48 << 10),
            l2_bytes: Some(2 << 20),
            l3_bytes: None,
            allowed: cpu != 3,
            isolated: cpu == 2,
        };
        Topology { cpus: (0..4).map(cpu).collect() }
    }

    #[test]
    fn the_table_shows_cpus_and_placement() {
        let host = host();
        let placement = host.placement(3, None).unwrap();
        let expected = "  cpu  core  socket  numa      L1d       L2       L3  allowed  isolated
    0     0       0     0   48 KiB    2 MiB        -      yes        no
    1     0       0     0   48 KiB    2 MiB        -      yes        no
    2     1       0     0   48 KiB    2 MiB        -      yes       yes
    3     1       0     0   48 KiB    2 MiB        -       no        no

this process may use 3 CPUs on 2 physical cores; partitions take them in this order: 0,2,1
3 partitions would run on CPUs 0,2,1
note: 3 partitions run as SMT siblings on 2 physical cores
AVX-512: this CPU has it
";
        assert_eq!(table(&host, &placement, true), expected);
    }

    #[test]
    fn the_document_says_the_same() {
        let host = host();
        let document = document(&host, &host.placement(1, None).unwrap(), false);
        assert_eq!(document["cpus"][2]["isolated"], true);
        assert_eq!(document["physical_cores"], 2);
        assert_eq!(document["placement_order"], json!([0, 2, 1]));
        assert_eq!(document["placement"], json!({"partitions": 1, "cpus": [0], "note": null}));
        assert_eq!(document["avx512"], false);
    }
}
