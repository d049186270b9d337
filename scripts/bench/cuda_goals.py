"""What is asked of train_cuda.py's rows: set before any figure was seen (docs/cuda.md)."""

# arm -> precision, whether its step is to be a CUDA graph
OURS = {
    "catscan eager": ("bf16", False),
    "catscan graph": ("bf16", True),
    "catscan fp32": ("fp32", True),
}
GRAPH, EAGER, AMP = "catscan graph", "pytorch eager", "pytorch amp"
COMPILED = ["pytorch compile", "pytorch compile graphs"]
THEIRS = [EAGER, AMP, *COMPILED]
# batch -> (the arms of which the fastest is held against `catscan graph`, at least so many times)
FASTER = {20: [([EAGER], 2.5), (COMPILED, 1.0)], 256: [([AMP], 1.0)]}
BUSY_PERCENT = 95.0


def not_recorded(rows: list[dict], device: str) -> list[str]:
    """Which of our steps were to be CUDA graphs and were not, or gave no time, and why."""
    if not device.startswith("cuda"):
        return []
    wrong = []
    for row in rows:
        of = f"{row['model']}, batch {row['batch']}, {row['arm']}"
        if row["arm"] in OURS and row.get("error"):
            wrong.append(f"{of}: {row['error']}")
        elif row["arm"] in OURS and OURS[row["arm"]][1] and row["turns"] and row["how"] != "graph":
            wrong.append(f"{of}: its steps were no CUDA graph but {row['how'] or 'said nothing of it'}")
    return wrong


def goals(rows: list[dict], cases: list[dict], device: str) -> list[dict]:
    """A goal each: what was got, what is wanted, and whether it is met; None where it was not measured."""
    if not device.startswith("cuda"):
        return []
    return [goal for case in cases for goal in of_case(rows, case)]


def of_case(rows: list[dict], case: dict) -> list[dict]:
    mine = {row["arm"]: row for row in rows if all(row[key] == case[key] for key in case)}
    name = f"{case['model']}, batch {case['batch']}: {GRAPH}"
    found = []
    for arms, want in FASTER.get(case["batch"], []):
        measured = [mine[arm] for arm in arms if arm in mine and mine[arm]["turns"]]
        goal = {"goal": f"{name} at least {want:g} × {' or '.join(arms)}", "want": want, "got": None, "met": None}
        if GRAPH in mine and mine[GRAPH]["turns"] and measured:
            ours, theirs = mine[GRAPH], max(measured, key=lambda row: row["images_per_s"])
            got = ours["images_per_s"] / theirs["images_per_s"]
            low, high = min(theirs["turns"]) / max(ours["turns"]), max(theirs["turns"]) / min(ours["turns"])
            goal |= {"got": got, "range": [low, high], "against": theirs["arm"], "met": got >= want}
        absent = [f"{arm}: {why(mine, arm)}" for arm in [GRAPH, *arms] if why(mine, arm)]
        found.append({**goal, "absent": absent})
    share = mine.get(GRAPH, {}).get("busy_percent")
    goal = {"goal": f"{name} keeps the card busy {BUSY_PERCENT:g} % of the time", "want": BUSY_PERCENT}
    met = None if share is None else share >= BUSY_PERCENT
    absent = [f"{GRAPH}: {why(mine, GRAPH) or 'nvidia-smi told too little'}"] if met is None else []
    return [*found, {**goal, "got": share, "met": met, "absent": absent}]


def why(mine: dict, arm: str) -> str:
    """Why an arm has no figure; empty where it has one."""
    if arm not in mine:
        return "not asked for, or not reached"
    return "" if mine[arm]["turns"] else mine[arm].get("error", "not reached")


def told(goals: list[dict], not_recorded: list[str]) -> list[str]:
    """The goals in a line each, and what did not run as it should."""
    lines = []
    for goal in goals:
        word = {True: "met", False: "NOT MET", None: "not measured"}[goal["met"]]
        got = "" if goal["got"] is None else f", got {goal['got']:.2f}"
        if "range" in goal:
            got += f" ({goal['range'][0]:.2f} to {goal['range'][1]:.2f}; {goal['against']})"
        lines.append("; ".join([f"{word}: {goal['goal']}{got}", *goal["absent"]]))
    return [*lines, *(f"NOT AS IT SHOULD BE: {what}" for what in not_recorded)]
