"""What learners' errors mean: Python's and PyTorch's words, and what is usually behind them."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from pathlib import Path

_FLOAT = "Change bytes with `.float()` first"
_FLOAT32 = (
    "A network computes in float32: call `.float()` on what you give it, or leave it as it is"
)
_WHOLE = "`/` gives fractions; sizes and places are whole numbers, so divide by `//`"
_APART = (
    "This is not one number but several, as `image.shape` and `layer.kernel_size` are: take them "
    "apart first, as in `height, width = image.shape`"
)
_BRACKETS = "Are brackets missing? A function is called as in `loss.item()`, `model.parameters()`"
_ONE_TRUTH = (
    "A condition needs one yes or no, and this holds several numbers. Is there a bias? "
    "`layer.bias is not None`. The largest number of a block? `block.max()`"
)
_TENSOR = "`torch.tensor(…)` makes a tensor of a list"
_APPLY = "A layer is made first, and applied then: `nn.ReLU()(x)`, not `nn.ReLU(x)`"
_SUPER = "Begin your `__init__` with `super().__init__()`"
# What PyTorch and Python say, and what is behind it; the first that fits is given.
_ADVICE = {
    "Boolean value of Tensor with more than one": _ONE_TRUTH,
    "truth value of an array with more than one": _ONE_TRUTH,
    "'method'": _BRACKETS,
    "builtin_function_or_method": _BRACKETS,
    "'torch.Size' object is not callable": "`shape` is no function: leave out its brackets",
    "torch.return_types": "It gives two things, the `.values` and their `.indices`: take one",
    "tuple index out of range": "Print it: a `shape` has one number for each dimension, and what "
    "`sort()` gives is a pair, so take its `.values`",
    "list index out of range": "The list is shorter than that, perhaps empty: print its length",
    "'NoneType' object is not subscriptable": "What stands before the bracket gave nothing back: "
    "a list's `sort()`, for example, sorts in place, and `sorted(...)` returns the sorted list",
    "of type 'tuple'": _APART,
    "'tuple' and 'int'": _APART,
    "'int' and 'tuple'": _APART,
    "'torch.Size' and": _APART,
    "concatenate tuple": _APART,
    "values to unpack": "On the left there must be as many names as there are values on the right: "
    "print it, or its `shape`, to see how many",
    "cannot unpack": "There is only one thing on the right, and several names wait on the left",
    "'float' object cannot be interpreted as an integer": _WHOLE,
    "indices must be integers": _WHOLE,
    "only integers, slices": _WHOLE,
    "tensors used as indices must be": _WHOLE,
    "zeros() takes 1 positional argument": _WHOLE,
    "must be tuple of ints, but found": _WHOLE,
    "'int' object is not iterable": "A loop that counts needs `range(...)` around the number",
    "input.numel() == 0": "This piece is empty: does it begin beyond the edge?",
    "__round__": "Make a plain number of it first, `round(x.item(), 2)`; or `x.round()`",
    "sizes provided (0)": "One place takes one number, and these are several",
    "must be Tensor, not list": _TENSOR,
    "sqrt(): argument 'input' (position 1) must be Tensor": "`math.sqrt` takes plain numbers",
    "must be Tensor, not ReLU": _APPLY,
    "must be Tensor, not Flatten": _APPLY,
    "must be Tensor, not": "PyTorch's functions take tensors; `math` has those for plain numbers",
    "can't assign a numpy": "Make a plain number of it first, with `float()`",
    "shapes cannot be multiplied": "In `a @ b` the rows of `a` must be as long as the columns of "
    "`b`: is a `.T` missing? In a network: is there a `flatten(1)` before the first `nn.Linear`, "
    "and does each take as many numbers as come out of the one before?",
    "instances of 'list' and": "Take one of its entries: the newest is `losses[-1]`",
    "'float' object is not iterable": "`losses.append(loss.item())` adds one number to a list",
    "'NoneType' object has no attribute 'append'": "`append` changes the list and returns nothing: "
    "leave out `losses =`",
    "backward through the graph a second time": "Each loss can go back through the network once: "
    "compute it again, with `model(images)`, in each round of your loop",
    "does not require grad and does not have a grad_fn": "Nothing was recorded on the way to this "
    "loss: compute it outside of `torch.no_grad()`, and do not make a new tensor of it",
    "'float' object has no attribute 'backward'": "`.item()` makes a plain number of the loss: "
    "call `loss.backward()` before it",
    "a leaf Variable that requires grad": "PyTorch keeps track of what you do: "
    "put the steps into `with torch.no_grad():`",
    "bias type (float) should be the same": _FLOAT32,
    "mat1 and mat2 must have the same dtype": _FLOAT32,
    "invalid literal for int() with base 10": "Bytes are not the text of a number: `content[3]` is "
    "a number already, and `int.from_bytes(piece, 'big')` makes one of several bytes",
    "cannot convert 'int' object to bytes": "One byte, such as `content[4]`, is a number already; "
    "a piece of four is `content[4:8]`",
    "is invalid for input of size": "Take the sizes from the tensor's own `shape`, or `flatten(1)`",
    "cdist only supports floating-point": _FLOAT,
    "Got: Long": "Change whole numbers with `.float()` first",
    "mean(): could not infer output dtype": _FLOAT,
    "cdist only supports at least 2D": "`flatten(1)` keeps a row for each image; `flatten()` "
    "makes one row of all",
    "must match the size of tensor b": "Print the shapes of both. (After a mean or a sum, "
    "`keepdim=True` keeps the dimension, with the size 1; `[:, None, None]` adds two of them)",
    "'list' object has no attribute 'argmin'": _TENSOR,
    "can't multiply sequence": "A tuple, such as `kernel_size`, is no number: take its entries",
    "'ReLU' object has no attribute": _APPLY,
    "before Module.__init__() call": _SUPER,
    "'super' object needs an argument": _SUPER,
    "object has no attribute '_modules'": _SUPER,
    "object has no attribute '_parameters'": _SUPER,
    "is not a Module subclass": "`nn.Sequential` takes the layers one by one, each made with "
    "brackets: `nn.ReLU()`; a list with a star, `nn.Sequential(*layers)`",
    "grad can be implicitly created only for scalar": "`backward()` starts from one number: "
    "take the mean of the losses",
    "log_softmax": "`cross_entropy` takes the logits first, then the labels",
    "The expanded size of the tensor (0)": "That slice is empty: print its ends. Is it `[p:-p]`? "
    "Where `p` is 0 this is `[0:0]`, for -0 is 0. Does it begin below 0? That counts from the end",
}


def describe_error(error: Exception, hints: Mapping[str, str] | None = None) -> str:
    """Name an error, the learner's line it came from, and, where PyTorch is terse, its cause.

    ``hints``: an exercise's own, by words of the error that they belong to.
    """
    message = str(error).partition("\n")[0].partition(". Saved intermediate values")[0]
    advices = [*(hints or {}).items(), *_ADVICE.items()]
    advice = next((f". {hint}" for words, hint in advices if words in str(error)), "")
    return f"{type(error).__name__}: {message}{last_line(error)}{advice}"


def last_line(error: BaseException) -> str:
    """Quote the learner's line that an error came from, if there is one."""
    here = str(Path(__file__).parents[1])  # the package
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if "site-packages" not in frame.filename and not frame.filename.startswith(here)
    ]
    return f" at `{frames[-1].line}`" if frames and frames[-1].line else ""
