"""The interface may only grow: compares the header and a library with what older versions promised (Tests/abi/*/abi.json).

    compatible.py LIBRARY

Then it shows that it would find a break: each function, parameter, field, constant and symbol of the description is changed in turn, and the
header itself once for each kind of change.
"""
import copy
import json
import pathlib
import re
import sys
import tempfile

import describe


def differences(old: dict, new: dict) -> list[str]:
    """What a program that was made for `old` could trip over in `new`."""
    found = []
    for name, function in old["functions"].items():
        now = new["functions"].get(name)
        if now is None:
            found.append(f"{name} is gone")
        elif [kind for _, kind in now["arguments"]] != [kind for _, kind in function["arguments"]] or now["returns"] != function["returns"]:
            found.append(f"{name}: was {function}, is {now}")
    for name, struct in old["structs"].items():
        now = new["structs"].get(name)
        if now is None:
            found.append(f"{name} is gone")
            continue
        # An element of an array can't grow: only structs that begin with their size may.
        grows = "struct_size" in struct["fields"]
        if now["size"] < struct["size"] or (now["size"] != struct["size"] and not grows):
            found.append(f"{name}: had {struct['size']} bytes, has {now['size']}")
        for field, layout in struct["fields"].items():
            if now["fields"].get(field) != layout:
                found.append(f"{name}.{field}: was {layout}, is {now['fields'].get(field)}")
        for field, (at, *_) in now["fields"].items():
            # Also in padding: an older program has anything there.
            if field not in struct["fields"] and at < struct["size"]:
                found.append(f"{name}.{field}: is at byte {at}, but older structs had {struct['size']} bytes: add fields behind them")
    for name, value in old["constants"].items():
        version = name.startswith("ALPACA_VERSION_") or name == "ALPACA_ABI_VERSION"
        if new["constants"].get(name) != value and not version:
            found.append(f"{name}: was {value}, is {new['constants'].get(name)}")
    for name, kind in old["callbacks"].items():
        if new["callbacks"].get(name) != kind:
            found.append(f"{name}: was {kind}, is {new['callbacks'].get(name)}")
    found += [f"{name} is no opaque type any more" for name in old["opaque"] if name not in new["opaque"]]
    for name, version in old["symbols"].items():
        if new["symbols"].get(name) != version:
            found.append(f"{name}: was exported as {version}, is as {new['symbols'].get(name)}")
    for name, version in new["symbols"].items():
        # A program that needs it would start with the older library too, and fail at the call.
        if name not in old["symbols"] and version in old["symbols"].values():
            found.append(f"{name}: is new, and exported as {version}: list it under a newer version in exports.map")
    return found


def consistency(data: dict) -> list[str]:
    """The header and the library tell of the same functions."""
    return [f"{name} is {'declared' if name in data['functions'] else 'exported'} alone"
            for name in sorted(data["functions"].keys() ^ data["symbols"].keys())]


def breaks(data: dict):
    """Every way of breaking what is described, one at a time: what was broken, and the description then."""
    def changed(*path, to=None):
        # Only what is changed is copied.
        copied = dict(data)
        place = copied
        for key in path[:-1]:
            place[key] = copy.copy(place[key])
            place = place[key]
        if to is None:
            del place[path[-1]]
        else:
            place[path[-1]] = to
        return "/".join(map(str, path)), copied

    for name, function in data["functions"].items():
        yield changed("functions", name)
        yield changed("functions", name, "returns", to="double")
        yield changed("functions", name, "arguments", to=function["arguments"] + [["more", "int32_t"]])
        for index in range(len(function["arguments"])):
            yield changed("functions", name, "arguments", index, to=["x", "double *"])
            yield changed("functions", name, "arguments", index)
    for name, struct in data["structs"].items():
        yield changed("structs", name)
        yield changed("structs", name, "size", to=struct["size"] - 8)
        if "struct_size" not in struct["fields"]:
            yield changed("structs", name, "size", to=struct["size"] + 8)
        yield changed("structs", name, "fields", "inserted", to=[struct["size"] - 4, 4, "int32_t"])
        for field, (at, size, kind) in struct["fields"].items():
            yield changed("structs", name, "fields", field)
            yield changed("structs", name, "fields", field, to=[at + 8, size, kind])
            yield changed("structs", name, "fields", field, to=[at, size * 2, kind])
            yield changed("structs", name, "fields", field, to=[at, size, "other"])
    for name, value in data["constants"].items():
        if not name.startswith("ALPACA_VERSION_") and name != "ALPACA_ABI_VERSION":
            yield changed("constants", name)
            yield changed("constants", name, to=value ^ 1)
    for name in data["callbacks"]:
        yield changed("callbacks", name)
        yield changed("callbacks", name, to="void (*)(void)")
    for index in range(len(data["opaque"])):
        yield changed("opaque", index)
    for name in data["symbols"]:
        yield changed("symbols", name)
        yield changed("symbols", name, to="ALPACA_9.9")
    yield changed("symbols", "alpaca_new", to=next(iter(data["symbols"].values())))


def grown(data: dict) -> dict:
    """What may be added, all at once."""
    new = copy.deepcopy(data)
    new["functions"]["alpaca_new"] = {"returns": "void", "arguments": []}
    new["symbols"]["alpaca_new"] = "ALPACA_9.9"
    new["structs"]["alpaca_new_params"] = {"size": 8, "fields": {"struct_size": [0, 8, "size_t"]}}
    new["constants"]["ALPACA_NEW"] = 77
    new["callbacks"]["alpaca_new_callback"] = "void (*)(void)"
    new["opaque"].append("alpaca_new_handle")
    for struct in new["structs"].values():
        if "struct_size" in struct["fields"]:
            struct["fields"]["added"] = [struct["size"], 8, "uint64_t"]
            struct["size"] += 8
    return new


#: One edit of the header for each kind of change: what to look for, what to put there, what the check says then.
EDITS = {
    "a function is removed": (r"size_t alpaca_session_position\(.*?;", "", "alpaca_session_position is gone"),
    "a parameter's type changes": (r"(alpaca_session_truncate\(alpaca_session \*session, )size_t", r"\1uint32_t", "alpaca_session_truncate: was"),
    "a field moves": (r"(int32_t use_mmap;.*?)(int32_t lock_memory;)", r"int32_t lock_memory; \1", "alpaca_model_params.use_mmap: was [8"),
    "a value of an enum changes": (r"ALPACA_BUSY = 13", "ALPACA_BUSY = 20", "ALPACA_BUSY: was 13, is 20"),
    "a struct of arrays grows": (r"(    float bias; )", r"\1int32_t more; ", "alpaca_logit_bias: had 8 bytes, has 12"),
    "a callback's type changes": (r"typedef int32_t (\(\*alpaca_token_callback\))", r"typedef void \1", "alpaca_token_callback: was"),
    "a handle becomes a struct": (r"typedef struct alpaca_string alpaca_string;", "typedef struct alpaca_string {int32_t x;} alpaca_string;",
                                  "alpaca_string is no opaque type any more"),
}


def self_test(data: dict) -> tuple[int, list[str]]:
    """How many checks passed, and what the comparison misses or finds where nothing is."""
    count, missed = 2, []
    missed += [f"of nothing it says {line}" for line in differences(data, data)]
    missed += [f"of additions it says {line}" for line in differences(data, grown(data))]
    for what, broken in breaks(data):
        count += 1
        if not differences(data, broken):
            missed.append(f"it misses a change of {what}")
    text = describe.HEADER.read_text()
    with tempfile.TemporaryDirectory() as folder:
        for what, (pattern, replacement, expected) in EDITS.items():
            header = pathlib.Path(folder, "alpaca.h")
            edited, times = re.subn(pattern, replacement, text, count=1, flags=re.S)
            header.write_text(edited)
            found = differences(data, describe.describe(header) | {"symbols": data["symbols"]}) if times else []
            count += 1
            if not any(expected in line for line in found):
                missed.append(f"when {what} it says {found}")
    return count, [f"the comparison is wrong: {line}" for line in missed]


def main() -> None:
    data = describe.describe() | {"symbols": describe.symbols(pathlib.Path(sys.argv[1]))}
    passed, failures = 0, consistency(data)
    for baseline in sorted(pathlib.Path(__file__).parent.glob("*/abi.json")):
        old = json.loads(baseline.read_text())
        found = differences(old, data)
        failures += [f"{baseline.parent.name}: {line}" for line in found]
        passed += max(0, sum(len(part) for part in old.values()) - len(found))
    count, wrong = self_test(data)
    for line in failures + wrong:
        print(f"error: {line}")
    print(f"ABI baseline: {passed} passed, {len(failures)} failed; its own test: {count - len(wrong)} passed, {len(wrong)} failed")
    sys.exit(1 if failures or wrong else 0)


if __name__ == "__main__":
    main()
