"""The tables that `./dev differential` prints at its end."""

import collections

import matrix


def pytest_configure(config):
    config.differential_reports = {}  # by interpreter: what compare.py found
    config.differential_growths = {}  # by interpreter: what allocations.py found


def pytest_terminal_summary(terminalreporter, config):
    if config.getoption("--whole", default=False):
        write = terminalreporter.write_line
        _compared(config.differential_reports, write)
        for name, growth in config.differential_growths.items():
            _grown(name, growth, write)


def _totals(report):
    total = collections.Counter()
    for row in report["rows"].values():
        total.update({key: value for key, value in row.items() if key != "examples"})
    return total


def _compared(reports, write):
    write("")
    write("%-8s %8s %6s | %6s %10s | %10s | %9s %6s" % (
        "python", "objects", "types", "sizes", "estimated", "references", "by layout", "types"))
    for name, report in reports.items():
        total = _totals(report)
        write("%-8s %8d %6d | %6d %10d | %10d | %9d %6d" % (
            report["python"] + ("*" if name == matrix.DEBIAN else ""), report["objects"],
            report["types"], total["size"], total["estimated"], total["traverse"],
            total["layout"], sum(1 for row in report["rows"].values() if row.get("layout"))))
    write("sizes, references, by layout: objects that differ from sys.getsizeof, and from")
    write("gc.get_referents by tp_traverse and by layout; estimated: the size has a caveat.")
    write("*: Debian's stripped python3. By layout, type by type:")
    for report in reports.values():
        for kind, row in sorted(report["rows"].items()):
            if row.get("layout"):
                write("  %-8s %s: %d of %d objects, %d lack some, %d have more" % (
                    report["python"], kind, row["layout"], row["objects"],
                    row.get("layout_missing", 0), row.get("layout_surplus", 0)))


def _grown(name, growth, write):
    write("")
    write("%-40s %12s %10s %10s %8s" % ("python " + name + " grew by", "bytes", "allocated",
                                       "getsizeof", "pages"))
    for kind, row in growth.items():
        write("  %-38s %12d %+9.2f%% %+9.2f%% %+7.2f%%" % (
            kind, row["grown"], 100 * (row["allocated"] / row["grown"] - 1),
            100 * (row["size"] / row["grown"] - 1),
            100 * (row["resident"] / row["grown"] - 1)))
