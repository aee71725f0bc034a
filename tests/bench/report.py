# SPDX-License-Identifier: GPL-2.0-or-later
"""What tools/bench makes of its measurements: medians, the table, and what was lost since.

A result is a dict that JSON can hold: "rows" by name, with the medians of both machines and the factor,
which is the median over rounds of each round's own.  Machines and their load differ, and both machines
of a round had the same: so factors are compared with the last run's, never rates.
"""
import json
import math
import os
import statistics

import rows as table

LOSS = 0.10
DISTURBED = 0.05
CLOCKS_AGREE = 0.9            # the guest's time by ours, at least; and at most its inverse


def summed_up(unit, samples):
    """One row of the result, from a list of (ours, theirs) per round."""
    better = (lambda a, b: b / a) if unit == "s" else (lambda a, b: a / b)
    factors = sorted(better(ours, theirs) for ours, theirs in samples)
    return {"unit": unit, "insula": statistics.median(ours for ours, _ in samples),
            "reference": statistics.median(theirs for _, theirs in samples),
            "factor": statistics.median(factors), "least": factors[0], "most": factors[-1],
            "rounds": len(samples)}


def mean(factors):
    """The geometric mean, or None of nothing."""
    factors = list(factors)
    return math.exp(statistics.fmean(map(math.log, factors))) if factors else None


def class_of(name):
    return next((c for c, (_, names) in table.CLASSES.items() if name in names), None)


def remark(name, row):
    """What is wrong with a row, beside what is aimed at."""
    if row["factor"] < table.ROW_LEAST:
        return "BELOW 1"
    if name in table.BOOTS:
        least = table.BOOT_LEAST
    else:
        least = table.CLASSES.get(class_of(name), (table.ROW_LEAST,))[0]
    return f"below {least:.3g}" if row["factor"] < least else ""


def row_lines(result):
    yield f"{'row':<14}{'unit':<9}{'Insula':>10}{'QEMU':>10}{'factor':>8}{'CPU':>7}  rounds"
    for name, row in result["rows"].items():
        spread = f"{row['least']:.2f}-{row['most']:.2f}"
        bare = f"{row['bare']:.1f}" if "bare" in row else ""
        notes = "  its clock and ours differ" if row.get("clock") else ""
        if row.get("disturbed", 0) > DISTURBED:
            notes += f"  others had {row['disturbed']:.0%} of the time"
        yield (f"{name:<14}{row['unit']:<9}{row['insula']:>10.4g}{row['reference']:>10.4g}"
               f"{row['factor']:>8.2f}{bare:>7}  {spread:<14}{remark(name, row)}{notes}").rstrip()


def mean_lines(result):
    rows = result["rows"]
    yield f"{'means of factors (geometric)':<40}{'is':>7}{'aim':>7}"
    for name, (aim, members) in table.CLASSES.items():
        is_ = mean(rows[m]["factor"] for m in members if m in rows)
        bare = [rows[m].get("bare") for m in members if m in rows]
        if is_:
            short = "" if is_ >= aim else "below"
            if short and all(bare):
                short += f" (this CPU itself: {mean(bare):.1f})"
            yield f"{name:<40}{is_:>7.2f}{aim:>7.3g}  {short}".rstrip()
    is_ = mean(row["factor"] for name, row in rows.items() if table.counts(name))
    if is_:
        short = "" if is_ >= table.SUITE_AIM else "below the aim" if is_ >= table.SUITE_LEAST else (
            f"below {table.SUITE_LEAST}, the least")
        count = sum(map(table.counts, rows))
        yield f"{f'the suite, {count} rows':<40}{is_:>7.2f}{table.SUITE_AIM:>7.3g}  {short}".rstrip()


def other_lines(result):
    rows = result["rows"]
    if "work1@2" in rows and "work2@2" in rows:
        ours, theirs = (rows["work2@2"][who] / rows["work1@2"][who] for who in ("insula", "reference"))
        short = "" if ours >= table.SCALING_LEAST else f"  below {table.SCALING_LEAST}"
        host = result.get("host_scaling")
        bare = f"; this host's own CPUs {host:.2f}" if host else ""
        yield f"two workers on 2 vCPUs, times one: Insula {ours:.2f}, QEMU {theirs:.2f}{bare}{short}"
    for name, memory in result["memory"].items():
        over = "" if memory["insula_pss"] <= table.MEMORY_MOST_MIB else (
            f"  above {table.MEMORY_MOST_MIB}")
        yield (f"memory beyond guest RAM after {name}: Insula {memory['insula_pss']:.0f} MiB, QEMU"
               f" {memory['reference_pss']:.0f} MiB (PSS; RSS {memory['insula_rss']:.0f} and"
               f" {memory['reference_rss']:.0f}){over}")


def text(result):
    about = result["about"]
    head = (f"{about['date']}, {about['commit']}, {about['cpu']}, {about['cpus']} CPUs; {about['insula']}"
            f" and {about['reference']}, {about['kernel']}; {about['rounds']} rounds in"
            f" {about['minutes']:.1f} min; others used {about['others']:.0%} of the CPUs")
    failed = [f"FAILED {name}: {why}" for name, why in result["failed"].items()]
    return "\n".join([head, "", *row_lines(result), "", *mean_lines(result), "", *other_lines(result),
                      *failed])


def losses(result, before):
    """Rows whose factor is more than LOSS below the last run's: {name: (then, now)}."""
    then = before["rows"] if before else {}
    return {name: (then[name]["factor"], row["factor"]) for name, row in result["rows"].items()
            if name in then and row["factor"] < (1 - LOSS) * then[name]["factor"]}


def loss_lines(lost, before):
    for name, (then, now) in lost.items():
        yield (f"LOST {name}: {then:.2f} on {before['about']['date']} ({before['about']['commit']}),"
               f" now {now:.2f}: {1 - now / then:.0%}")


class Kept:
    """The results in a folder: last.json and last.txt, and those before as previous.*."""

    def __init__(self, folder):
        self.folder = folder
        self.last = self.load("last.json")

    def load(self, name):
        try:
            with open(os.path.join(self.folder, name), encoding="utf-8") as f:
                return json.load(f)
        except (OSError, ValueError):
            return None

    def keep(self, result):
        """Rows that this run has not measured stay as they were."""
        os.makedirs(self.folder, exist_ok=True)
        for kind in ("json", "txt"):
            path = os.path.join(self.folder, "last." + kind)
            if os.path.exists(path):
                os.replace(path, os.path.join(self.folder, "previous." + kind))
        whole = dict(result)
        for part in ("rows", "memory"):
            whole[part] = {**(self.last or {}).get(part, {}), **result[part]}
        for kind, content in (("json", json.dumps(whole, indent=1)), ("txt", text(result))):
            with open(os.path.join(self.folder, "last." + kind), "w", encoding="utf-8") as f:
                f.write(content + "\n")
