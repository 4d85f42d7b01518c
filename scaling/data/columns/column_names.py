"""What a column's name says: its axis and the unit of its numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from scaling.data.reading import NATS

COUNTS = {"thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12}
FLOPS = {"TFLOPs": 1e12, "PFLOPs": 1e15, "EFLOPs": 1e18, "PF-days": 8.64e19, "ZFLOPs": 1e21}
TRAINING, PERPLEXITY, SCORE = "training", "perplexity", "score"


def spelled(words: str) -> frozenset[str]:
    """A set of words."""
    return frozenset(words.split())


_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+(?:e\d+)?")
_IN_BRACKETS = re.compile(r"^(.*?)\s*[(\[{<]\s*([^)\]}>]*?)\s*[)\]}>]\s*$")
_OF_OPTUNA = re.compile(r"^(?:params|config|user_attrs|metrics)_(N|P|D|C|loss)$")
_CONTAINERS = spelled(
    "attributes args cfg config configs data hparams hyperparameters hyperparams info metric metrics "
    "model param params results run summary tags user_attrs"
)
_UNITS = {
    "k": 1e3, "thousand": 1e3, "thousands": 1e3, "kilo": 1e3, "1e3": 1e3,
    "m": 1e6, "mn": 1e6, "mio": 1e6, "million": 1e6, "millions": 1e6, "mega": 1e6, "1e6": 1e6,
    "b": 1e9, "bn": 1e9, "g": 1e9, "billion": 1e9, "billions": 1e9, "giga": 1e9, "1e9": 1e9,
    "t": 1e12, "tn": 1e12, "trillion": 1e12, "trillions": 1e12, "tera": 1e12, "1e12": 1e12,
}  # fmt: skip
_LETTERS = {"k", "m", "b", "g", "t", "bn", "mn", "tn", "mio"}  # say a unit only at the end of a name
_NEAR_UNITS = {"in", "of", "x", "unit", "units"}
_COUNTED = {"param", "params", "parameter", "parameters"}
_PLURAL = {**dict.fromkeys(_COUNTED, "params"), "token": "tokens", "flop": "flops", "stream": "streams",
           "number": "num", "count": "num", "no": "num", "validation": "val", "evaluation": "val", "eval": "val",
           "dev": "val", "heldout": "val", "held": "val", "out": "", "training": "train", "trained": "train",
           "pretraining": "train", "pretrain": "train", "embedding": "emb", "embeddings": "emb",
           "ce": "loss", "nll": "loss", "xent": "loss", "lm": ""}  # fmt: skip
_FILLERS = {"n", "num", "total", "final", "last", "mean", "avg", "best", "model", "the"}
_N = {
    "params",
    "nonembparams",
    "paramsnonemb",
    "trainableparams",
    "nonemb",
    "paramswithoutemb",
    "nonembparamssize",
}
_D = spelled(
    "tokens traintokens tokenstrain tokensseen seentokens consumedtokens tokensconsumed datatokens datasettokens "
    "tokensbudget dtokens tokensd tokenstrainedon processedtokens tokensprocessed"
)
_C = {"flops", "trainflops", "flopstrain", "computeflops", "traincomputeflops"}
_C_WITH_UNIT = _C | {"c", "", "compute", "traincompute"}  # compute alone may be GPU hours
_LOSS = {"loss", "valloss", "lossval", "testloss", "losstest", "crossentropy", "valcrossentropy", "testcrossentropy",
         "crossentropyloss", "valcrossentropyloss", "vallossnats", "lossnats"}  # fmt: skip
_TRAIN_LOSS = {"trainloss", "losstrain", "smoothedtrainloss", "smoothtrainloss"}
_P = {"p", "streams", "parallelsize", "parallel", "parallelfactor", "parallelscale", "parallelism", "parallels",
      "parscale", "parscalep", "parscalesize", "parscalefactor", "scalep", "replicas", "paths", "pathways",
      "parallelpaths", "parallelcopies"}  # fmt: skip
_NO_STREAMS = spelled(
    "similarity weight weights entropy id index gain gains loss name type corr correlation std var "
    "variance norm grad cos cosine per"
)
_SPREADS = {
    "se",
    "sem",
    "std",
    "stderr",
    "sd",
    "err",
    "error",
    "var",
    "variance",
    "ci",
    "lower",
    "upper",
    "n",
}
_COMPUTE = re.compile(r"(?:pf(?:lops?)?|petaflops?)s?days?|(?P<scale>[tpez]|tera|peta|exa|zetta)flops?$")
_SCALES = {"t": "TFLOPs", "p": "PFLOPs", "e": "EFLOPs", "z": "ZFLOPs"}


@dataclass(frozen=True)
class Named:
    """What a name says: its axis or "", the factor of its unit, and for a loss its kind or unit."""

    axis: str
    scale: float = 1.0
    unit: str = ""  # a count: "billions" or the like. A loss: "bits per byte", NATS, PERPLEXITY, SCORE
    rank: int = 0  # of several names of one axis the lowest is meant


@lru_cache(maxsize=4096)
def meaning(name: str) -> Named:
    """What a column's name says, without container prefixes such as config. and params/."""
    if found := _OF_OPTUNA.match(name):
        return Named(found[1])
    inside = _inside(name)
    if inside in ("N", "P", "D", "C", "loss"):
        return Named(inside)
    text, bracket = inside, ""
    if found := _IN_BRACKETS.match(inside):
        text, bracket = found[1], found[2]
    if compute := _compute(text, bracket):
        return compute
    words = _words(text)
    scale, words = _scale(words, bracket)
    if loss := loss_unit(inside):
        if words and _key(words) in _LOSS | _TRAIN_LOSS and loss == NATS:
            return Named("loss", 1.0, NATS, int(_key(words) in _TRAIN_LOSS))
        return Named("loss", 1.0, loss, 2)
    unit = next((f"{name_}s" for name_, worth in COUNTS.items() if worth == scale), "")
    key, letter = _key(words), words[0] if len(words) == 1 else ""  # d_model is no D
    if key in _N or letter == "n" or (key == "size" and scale > 1):
        return Named("N", scale, unit, 0 if "emb" in key else 1)
    if key in _D or letter == "d":
        return Named("D", scale, unit)
    if key in _C:
        return Named("C", scale, unit)
    return Named("P") if _streams(key, words) else Named("")


def _inside(name: str) -> str:
    """A name without the containers that it lies in: N of config.N, val/loss of metrics.val/loss."""
    parts = re.split(r"([./:])", name.strip())
    while len(parts) > 2 and parts[0].casefold() in _CONTAINERS:
        parts = parts[2:]
    if len(parts) > 2 and parts[-1] in ("value", "last"):  # config.N.value, as W&B nests it
        parts = parts[:-2]
    return "".join(parts)


def _words(text: str) -> list[str]:
    return [word.casefold() for word in _WORD.findall(text)]


def _scale(words: list[str], bracket: str) -> tuple[float, list[str]]:
    """The factor of the unit in a name, and its other words."""
    inner = [w for w in _words(bracket.replace("10^", "1e").replace("**", "e")) if w not in _NEAR_UNITS]
    if inner and inner[0] in _UNITS:
        return _UNITS[inner[0]], words
    if len(words) > 1 and words[-1] in _UNITS:
        return _UNITS[words[-1]], [w for w in words[:-1] if w not in _NEAR_UNITS]
    told = [w for w in words if w in _UNITS and w not in _LETTERS]
    if len(words) > 1 and told:
        return _UNITS[told[0]], [w for w in words if w not in told and w not in _NEAR_UNITS]
    return 1.0, words


def _key(words: list[str]) -> str:
    """A name in one spelling: num_params, n_parameters and total params are one."""
    plain = [_PLURAL.get(word, word) for word in words]
    rest = "".join(word for word in plain if word and word not in _FILLERS)
    return rest if len(rest) > 1 else "".join(plain)  # d_model is no D, mean_p no P


def _compute(text: str, bracket: str) -> Named | None:
    """A name of compute with its unit: pf_days, EFLOPs, C (PF-days)."""
    plain = "".join(_words(text))
    for part, base in (
        (plain, True),
        ("".join(_words(bracket)), plain in _C_WITH_UNIT or _key(_words(text)) in _C_WITH_UNIT),
    ):
        found = _COMPUTE.search(part)
        if found and base:
            unit = _SCALES[found["scale"][0]] if found["scale"] else "PF-days"
            return Named("C", FLOPS[unit], unit)
    return None


def _streams(key: str, words: list[str]) -> bool:
    """Whether a name may mean streams."""
    if key in _P or (len(words) > 1 and words[0] == "parscale" and key.removeprefix("parscale") in ("n", "")):
        return True
    several = {"stream", "streams", "parscale"} & set(words)
    return bool(several) and not _NO_STREAMS & set(words)


def loss_unit(name: str) -> str:
    """The unit in the name of a loss column, NATS where it says only loss. "" for other columns."""
    words = _words(name)
    text, said = "".join(words), set(words)
    if said & _SPREADS:
        return ""
    if "bpb" in said or ("bit" in text and "byte" in text):
        return "bits per byte"
    if "bpt" in said or ("bit" in text and "token" in text):
        return "bits per token"
    if "bpc" in said or ("bit" in text and "char" in text):
        return "bits per character"
    if "nat" in text and "byte" in text:
        return "nats per byte"
    if {"ppl", "perplexity", "pplx", "perplexities"} & said:
        return PERPLEXITY
    if {"acc", "accuracy", "accuracies", "score", "f1", "bleu", "rouge"} & said or "passat" in text:
        return SCORE
    if said & {"bits", "log2"} and "loss" in said:
        return "bits per token"
    if "entropy" in said and "cross" in said:
        return NATS
    return NATS if said & {"loss", "losses", "nll", "ce", "xent", "crossentropy"} else ""


def of_axis(names: Iterable[object], axis: str) -> list[str]:
    """The names that may mean an axis, the likeliest first."""
    found = [(meaning(str(name)).rank, str(name)) for name in names if meaning(str(name)).axis == axis]
    return [name for _, name in sorted(found, key=lambda pair: pair[0])]


def spelled_as(names: Iterable[object], axis: str) -> list[str]:
    """The names that say an axis of a law in another spelling: num_experts, config.Experts for experts."""
    key = _key(_words(axis))
    return [str(name) for name in names if str(name) != axis and _key(_words(_inside(str(name)))) == key]


def plainly(name: str, axis: str) -> bool:
    """Whether a name is an axis' own, inside containers or with a remark in brackets: config.P, "P (streams)"."""
    found = _OF_OPTUNA.match(name)
    inside = _inside(name)
    bracket = _IN_BRACKETS.match(inside)
    return axis in (found[1] if found else "", inside, bracket[1] if bracket else "")
