"""The command line: ``digitlab``, or ``python -m digitlab``, and a command.

Each command imports what it needs itself, so that ``--help`` is quick and ``doctor`` runs where
PyTorch does not.
"""

from __future__ import annotations

import argparse
import contextlib
import glob
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from digitlab.evaluation import Evaluation

# What shells report of a program that a signal stopped: 128 and the signal's number
_INTERRUPTED = 130  # SIGINT
_PIPE_CLOSED = 141  # SIGPIPE

_SHIPPED = Path()  # stands for the weights that come along, where none would mean no network


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit status.

    Bad input ends in a sentence on stderr and status 1, not in a traceback.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # Not every console has "·" or "…": better a question mark than no result.
            stream.reconfigure(errors="replace")
    try:
        return _run(arguments)
    except BrokenPipeError:  # whoever read the output, such as `| head -1`, has seen enough
        _discard_output()
        return _PIPE_CLOSED


def _run(arguments: Sequence[str] | None) -> int:
    try:
        options = _parser().parse_args(arguments)
        return int(options.run(options))
    except BrokenPipeError:
        raise
    except (OSError, ValueError, ImportError) as error:
        print(f"digitlab: {_in_words(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("digitlab: stopped", file=sys.stderr)
        return _INTERRUPTED
    finally:
        print(end="", flush=True)  # a pipe that is closed is noticed here, not when Python exits


def _in_words(error: Exception) -> str:
    """Leave the number out of an error of the system's own."""
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{error.filename}: {error.strerror}"
    return str(error)


def _discard_output() -> None:
    """Send what is still to be written nowhere, or Python would complain when it exits."""
    with contextlib.suppress(OSError, ValueError, AttributeError):  # streams that are no files
        devnull = os.open(os.devnull, os.O_WRONLY)
        for stream in (sys.stdout, sys.stderr):
            os.dup2(devnull, stream.fileno())


def _parser() -> argparse.ArgumentParser:
    prog = "digitlab" if Path(sys.argv[0]).stem == "digitlab" else "python -m digitlab"
    parser = argparse.ArgumentParser(prog=prog, description="Recognise handwritten digits.")
    commands = parser.add_subparsers(required=True, metavar="command")

    train = commands.add_parser("train", help="train a network and save its weights")
    train.add_argument(
        "--recipe",
        choices=("quick", "best"),
        default="quick",
        help="quick: 32,000 images, once, in seconds; best: 48 epochs, with all that helps",
    )
    seeds = train.add_mutually_exclusive_group()
    seeds.add_argument(
        "--seed",
        type=int,
        default=0,
        help="decides the first weights, the order of images, the augmentation",
    )
    seeds.add_argument(
        "--seeds",
        metavar="FIRST-LAST",
        help="train one network for each of these seeds, such as 0-4",
    )
    train.add_argument(
        "--out",
        type=Path,
        help="where the weights go (default: data/my_mnist_cnn.pth); "
        "with --seeds, _seed_0 and so on is added",
    )
    train.add_argument(
        "--overwrite",
        action="store_true",
        help="replace weights that are there already, and drop a training that was interrupted",
    )
    train.add_argument(
        "--resume",
        action="store_true",
        help="resume the same training after its last whole epoch, if it was interrupted; "
        "with --seeds, networks that are trained already are kept",
    )
    train.add_argument("--device", help="cpu, cuda or mps (default: the fastest there is)")
    _add_data_option(train)
    train.set_defaults(run=_train)

    evaluation = commands.add_parser(
        "evaluate", help="measure a network on the MNIST test images, or on pen strokes"
    )
    _add_weights_option(evaluation)
    evaluation.add_argument(
        "--pen",
        type=Path,
        metavar="FILE",
        help='strokes of UCI\'s "Pen-Based Recognition of Handwritten Digits"',
    )
    _add_data_option(evaluation)
    evaluation.set_defaults(run=_evaluate)

    prediction = commands.add_parser("predict", help="classify pictures of single digits")
    prediction.add_argument(
        "images",
        nargs="+",
        type=Path,
        metavar="IMAGE",
        help="PNG, JPEG, …: light on dark or dark on light",
    )
    _add_weights_option(prediction)
    prediction.set_defaults(run=_predict)

    export = commands.add_parser(
        "export", help="write a network as a web page to draw on, in one file, or as ONNX"
    )
    export.add_argument("path", type=Path, metavar="PATH", help="NAME.html or NAME.onnx")
    _add_weights_option(export)
    _add_beside_option(export)
    export.add_argument("--overwrite", action="store_true", help="replace a file that is there")
    export.set_defaults(run=_export)

    app = commands.add_parser("app", help="serve that page on this computer")
    _add_weights_option(app)
    _add_beside_option(app)
    app.add_argument("--port", type=int, default=5000, help="where to listen (default: 5000)")
    app.set_defaults(run=_app)

    notebooks = commands.add_parser(
        "notebooks", help="copy the course into a folder; what is there already is kept"
    )
    notebooks.add_argument("folder", type=Path, metavar="DIR", help="a new folder, for example")
    notebooks.set_defaults(run=_notebooks)

    lab = commands.add_parser("lab", help="open the course in JupyterLab")
    lab.add_argument(
        "folder",
        type=Path,
        nargs="?",
        metavar="DIR",
        help="where to work; the course is copied there first, unless it is there "
        "(default: the clone, or digitlab_course)",
    )
    lab.add_argument("--port", type=int, help="where to listen (default: 8888, or the next free)")
    lab.add_argument("--no-browser", action="store_true", help="open no browser; print the address")
    lab.set_defaults(run=_lab)

    doctor = commands.add_parser(
        "doctor", help="find out what is wrong with this installation, and how to fix it"
    )
    doctor.set_defaults(run=_doctor)
    return parser


def _add_data_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data", type=Path, help="folder with MNIST/raw (default: $DIGITLAB_DATA, else data/)"
    )


def _add_weights_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--weights", type=Path, help="weights to load (default: the shipped ones)")


def _add_beside_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--beside",
        type=Path,
        nargs="?",
        const=_SHIPPED,
        metavar="WEIGHTS",
        help="compare with a second network on the page (without WEIGHTS: the shipped one)",
    )


def _train(options: argparse.Namespace) -> int:
    from digitlab import Recipe, load_mnist
    from digitlab.data import work_folder
    from digitlab.files import user_path
    from digitlab.training.distributed import joined_process_group
    from digitlab.training.runs import Run, parse_seeds, table, train_all

    path = user_path(options.out or work_folder() / "my_mnist_cnn.pth")
    recipe = Recipe.best() if options.recipe == "best" else Recipe.quick()
    if options.seeds is None:
        runs = [Run(recipe, options.seed, path, options.device)]
    else:
        runs = [
            Run(recipe, seed, path.with_stem(f"{path.stem}_seed_{seed}"), options.device)
            for seed in parse_seeds(options.seeds)
        ]
    load = partial(load_mnist, options.data)
    with joined_process_group() as group:
        if options.resume and group.size > 1:
            raise ValueError("--resume is for one process; torchrun starts again")
        try:
            trained = train_all(runs, load, resume=options.resume, overwrite=options.overwrite)
            results = list(trained)
        except KeyboardInterrupt:
            if not any(run.state_path.exists() for run in runs):
                raise
            advice = "the same command with --resume resumes it after the last whole epoch"
            print(f"digitlab: stopped; {advice}", file=sys.stderr)
            return _INTERRUPTED
        if options.seeds is None:
            accuracy = f"{results[0]['val_accuracy']:.2%} of the validation images classified right"
            print(f"{accuracy}; weights saved to {path}")
        else:
            print(f"{table(results)}\nweights saved to {runs[0].path} … {runs[-1].path.name}")
    return 0


def _evaluate(options: argparse.Namespace) -> int:
    from digitlab import evaluate, load_mnist, load_model
    from digitlab.files import user_path
    from digitlab.handwriting.recorded import read_pen_digits

    model = load_model(options.weights)
    if options.pen:
        images, labels = read_pen_digits(user_path(options.pen))
        what = f"{len(labels):,} drawings in {options.pen.name}"
    else:
        mnist = load_mnist(options.data)
        images, labels = mnist.test_images, mnist.test_labels
        what = f"{len(labels):,} test images ({mnist.source})"
    result = evaluate(model, images, labels)
    print(f"{what}: {result}\n\n{_confusion_table(result)}")
    return 0


def _confusion_table(result: Evaluation) -> str:
    """Lay the confusion matrix out as text, a dot where there is nothing to count."""
    header = "true\\pred " + "".join(f"{digit:6d}" for digit in range(10))
    rows = [
        f"{digit:9d} " + "".join(f"{count or '·':>6}" for count in row)
        for digit, row in enumerate(result.confusion.tolist())
    ]
    return "\n".join([header, *rows])


def _predict(options: argparse.Namespace) -> int:
    from digitlab import from_image, load_model, predict

    model, failed = load_model(options.weights), False
    for path in _expanded(options.images):
        try:
            if path.is_dir():
                raise ValueError("this is a folder; name the pictures in it")
            with path.open("rb") as file:  # not its path, which errors would name a second time
                prediction = predict(model, from_image(file))
        except (OSError, ValueError) as error:  # the other pictures are classified all the same
            print(f"{path}: {getattr(error, 'strerror', None) or error}", file=sys.stderr)
            failed = True
            continue
        doubt = "" if prediction.is_digit else "  (this does not look like a digit)"
        print(f"{path}: {prediction}{doubt}")
    return int(failed)


def _expanded(paths: Iterable[Path]) -> Iterator[Path]:
    """Expand ``~`` and wildcards, as a shell does: those of Windows leave that to the program."""
    from digitlab.files import user_path

    for path in paths:
        pattern = str(user_path(path))
        # A file that is there may have a bracket in its name.
        found = [] if os.path.lexists(pattern) else sorted(glob.glob(pattern, recursive=True))
        yield from map(Path, found or [pattern])


def _export(options: argparse.Namespace) -> int:
    from digitlab import load_model
    from digitlab.export import export_onnx, export_page
    from digitlab.export.destination import check_destination

    suffix = options.path.suffix
    if suffix not in (".html", ".onnx"):
        raise ValueError(f"name a file that ends in .html or .onnx, got {options.path}")
    if suffix == ".onnx" and options.beside:
        raise ValueError("an ONNX file holds one network; --beside is for pages, NAME.html")
    check_destination(options.path, suffix, overwrite=options.overwrite)
    if suffix == ".html":
        path = export_page(path=options.path, overwrite=options.overwrite, **_shown(options))
        print(f"{path}: open it in a browser; it needs nothing else, not even the internet")
    else:
        model = load_model(options.weights)
        path = export_onnx(model, options.path, overwrite=options.overwrite)
        print(f"{path}: images (N, 1, 28, 28) in [0, 1] → logits and probabilities (N, 10)")
    return 0


def _shown(options: argparse.Namespace) -> dict[str, Any]:
    """What a page is made of: a network, and the one beside it if there is one."""
    from digitlab import load_model
    from digitlab.checkpoint import load_info
    from digitlab.export.page import Exhibit

    def exhibit(weights: Path | None) -> Exhibit:
        path = None if weights == _SHIPPED else weights
        name = path.stem if path else "digitlab's network"
        return Exhibit(load_model(path), name, load_info(path))

    beside = None if options.beside is None else exhibit(options.beside)
    return {**exhibit(options.weights)._asdict(), "beside": beside}


def _app(options: argparse.Namespace) -> int:
    from digitlab.export.page import render_page
    from digitlab.export.server import PageServer

    page = render_page(**_shown(options))
    with PageServer(page, port=options.port) as server:
        print(f"The page is at {server.address}; Ctrl+C ends it", flush=True)
        server.serve_forever()
    return 0


def _notebooks(options: argparse.Namespace) -> int:
    from digitlab.course import copy_course

    copy = copy_course(options.folder)
    print(f'{copy}\nTo open it: digitlab lab "{copy.folder}"')
    return 0


def _lab(options: argparse.Namespace) -> int:
    from digitlab.course import FIRST, copy_course, folder_to_open, open_in_lab

    folder = options.folder or folder_to_open()
    if not (folder / FIRST).is_file():
        copy = copy_course(folder)
        print(copy, flush=True)
        folder = copy.folder
    port = [] if options.port is None else [f"--port={options.port}"]
    open_in_lab(folder.resolve(), *port, *(["--no-browser"] if options.no_browser else []))
    return 0


def _doctor(_: argparse.Namespace) -> int:
    from digitlab.doctor import run_doctor

    return run_doctor()


if __name__ == "__main__":
    sys.exit(main())
