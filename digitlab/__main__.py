"""The command line: ``python -m digitlab train | evaluate | predict | doctor``.

Each command imports what it needs itself, so that ``--help`` is quick and ``doctor`` runs where
PyTorch does not.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from digitlab.evaluation import Evaluation


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; bad input ends in a sentence on stderr and exit status 1, not in a traceback."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except (OSError, ValueError, ImportError) as error:
        print(f"digitlab: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        advice = (
            "; the same command with --resume goes on after the last whole epoch"
            if options.run is _train
            else ""
        )
        print(f"digitlab: stopped{advice}", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m digitlab", description="Recognise handwritten digits."
    )
    commands = parser.add_subparsers(required=True, metavar="command")

    train = commands.add_parser("train", help="train a network and save its weights")
    train.add_argument(
        "--recipe",
        choices=("quick", "best"),
        default="quick",
        help="quick: half of the images, once, in seconds; best: 32 epochs, with all that helps",
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
        help="where the weights go (default: data/my_mnist_cnn.pth); with --seeds, _seed_0 and so on is added",
    )
    train.add_argument(
        "--overwrite", action="store_true", help="replace weights that are there already"
    )
    train.add_argument(
        "--resume",
        action="store_true",
        help="go on after the last whole epoch of the same training, if it was cut off",
    )
    train.add_argument("--device", help="cpu, cuda or mps (default: the fastest there is)")
    _add_data_option(train)
    train.set_defaults(run=_train)

    evaluation = commands.add_parser(
        "evaluate", help="measure a network on the MNIST test images, or on pen strokes"
    )
    evaluation.add_argument(
        "--weights", type=Path, help="weights to load (default: the shipped ones)"
    )
    evaluation.add_argument(
        "--pen",
        type=Path,
        metavar="FILE",
        help='strokes of UCI\'s "Pen-Based Recognition of Handwritten Digits"',
    )
    _add_data_option(evaluation)
    evaluation.set_defaults(run=_evaluate)

    prediction = commands.add_parser("predict", help="read pictures of single digits")
    prediction.add_argument(
        "images",
        nargs="+",
        type=Path,
        metavar="IMAGE",
        help="PNG, JPEG, …: light on dark or dark on light",
    )
    prediction.add_argument(
        "--weights", type=Path, help="weights to load (default: the shipped ones)"
    )
    prediction.set_defaults(run=_predict)

    doctor = commands.add_parser(
        "doctor", help="find out what is wrong with this installation, and how to fix it"
    )
    doctor.set_defaults(run=_doctor)
    return parser


def _add_data_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data", type=Path, help="folder with MNIST/raw (default: $DIGITLAB_DATA, else data/)"
    )


def _train(options: argparse.Namespace) -> int:
    from digitlab import Recipe, load_mnist
    from digitlab.data import work_folder
    from digitlab.training.distributed import joined_process_group
    from digitlab.training.runs import Run, parse_seeds, table, train_all

    path = options.out or work_folder() / "my_mnist_cnn.pth"
    seeds, paths = [options.seed], [path]
    if options.seeds is not None:
        seeds = parse_seeds(options.seeds)
        paths = [path.with_stem(f"{path.stem}_seed_{seed}") for seed in seeds]
    there = [path for path in paths if path.exists()]
    if there and not options.overwrite:  # before the work, not after it
        raise FileExistsError(
            f"{there[0]} exists; choose another with --out, or replace it with --overwrite"
        )
    recipe = Recipe.best() if options.recipe == "best" else Recipe.quick()
    runs = [
        Run(recipe, seed, path, options.device, options.resume)
        for seed, path in zip(seeds, paths, strict=True)
    ]
    with joined_process_group() as group:
        if options.resume and group.size > 1:
            raise ValueError("--resume is for one process; torchrun starts again")
        results = list(train_all(runs, partial(load_mnist, options.data)))
        if options.seeds is None:
            accuracy = f"{results[0]['val_accuracy']:.2%} of the validation images classified right"
            print(f"{accuracy}; weights saved to {path}")
        else:
            print(f"{table(results)}\nweights saved to {paths[0]} … {paths[-1].name}")
    return 0


def _evaluate(options: argparse.Namespace) -> int:
    from digitlab import evaluate, load_mnist, load_model
    from digitlab.handwriting.recorded import read_pen_digits

    model = load_model(options.weights)
    if options.pen:
        images, labels = read_pen_digits(options.pen)
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
    header = "true\\read " + "".join(f"{digit:6d}" for digit in range(10))
    rows = [
        f"{digit:9d} " + "".join(f"{count or '·':>6}" for count in row)
        for digit, row in enumerate(result.confusion.tolist())
    ]
    return "\n".join([header, *rows])


def _predict(options: argparse.Namespace) -> int:
    from digitlab import from_image, load_model, predict

    model, failed = load_model(options.weights), False
    for path in options.images:
        try:
            prediction = predict(model, from_image(path))
        except (OSError, ValueError) as error:  # the other pictures are read all the same
            print(f"{path}: {error}", file=sys.stderr)
            failed = True
            continue
        doubt = "" if prediction.is_digit else "  (this does not look like a digit)"
        print(f"{path}: {prediction}{doubt}")
    return int(failed)


def _doctor(_: argparse.Namespace) -> int:
    from digitlab.doctor import run_doctor

    return run_doctor()


if __name__ == "__main__":
    sys.exit(main())
