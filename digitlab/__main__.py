"""The command line: ``python -m digitlab train | evaluate | predict | doctor``.

Each command imports what it needs itself, so that ``--help`` is quick and ``doctor`` runs where PyTorch does not.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import nn

    from digitlab import History, Mnist, Recipe
    from digitlab.evaluation import Evaluation
    from digitlab.training import Progress


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; bad input ends in a sentence on stderr and exit status 1, not in a traceback."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except (OSError, ValueError, ImportError) as error:
        print(f"digitlab: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("digitlab: stopped; nothing was written", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m digitlab", description="Recognise handwritten digits.")
    commands = parser.add_subparsers(required=True, metavar="command")

    train = commands.add_parser("train", help="train a network and save its weights")
    train.add_argument(
        "--recipe",
        choices=("quick", "best"),
        default="quick",
        help="quick: one epoch, a quarter of a minute; best: 24, with all that helps",
    )
    train.add_argument(
        "--seed", type=int, default=0, help="decides the first weights, the order of images, the augmentation"
    )
    train.add_argument("--out", type=Path, help="where the weights go (default: data/my_mnist_cnn.pth)")
    train.add_argument("--overwrite", action="store_true", help="replace weights that are there already")
    train.add_argument("--device", help="cpu, cuda or mps (default: the fastest there is)")
    _add_data_option(train)
    train.set_defaults(run=_train)

    evaluation = commands.add_parser("evaluate", help="measure a network on the MNIST test images, or on pen strokes")
    evaluation.add_argument("--weights", type=Path, help="weights to load (default: the shipped ones)")
    evaluation.add_argument(
        "--pen", type=Path, metavar="FILE", help='strokes of UCI\'s "Pen-Based Recognition of Handwritten Digits"'
    )
    _add_data_option(evaluation)
    evaluation.set_defaults(run=_evaluate)

    prediction = commands.add_parser("predict", help="read pictures of single digits")
    prediction.add_argument(
        "images", nargs="+", type=Path, metavar="IMAGE", help="PNG, JPEG, …: light on dark or dark on light"
    )
    prediction.add_argument("--weights", type=Path, help="weights to load (default: the shipped ones)")
    prediction.set_defaults(run=_predict)

    doctor = commands.add_parser("doctor", help="find out what is wrong with this installation, and how to mend it")
    doctor.add_argument("--json", action="store_true", help="print what was found for a program to read")
    doctor.set_defaults(run=_doctor)
    return parser


def _add_data_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, help="folder with MNIST/raw (default: $DIGITLAB_DATA, else data/)")


def _train(options: argparse.Namespace) -> int:
    import torch

    from digitlab import DigitCNN, Recipe, evaluate, load_mnist, save_model
    from digitlab.calibration import calibrate
    from digitlab.data import work_folder
    from digitlab.evaluation import predict_logits

    path = options.out or work_folder() / "my_mnist_cnn.pth"
    if path.exists() and not options.overwrite:  # before the work, not after it
        raise FileExistsError(f"{path} exists; choose another with --out, or replace it with --overwrite")
    mnist = load_mnist(options.data)
    recipe = Recipe.best() if options.recipe == "best" else Recipe.quick()
    torch.manual_seed(options.seed)
    model = DigitCNN()
    history = _fit_with_bar(model, mnist, recipe=recipe, seed=options.seed, device=options.device)
    model.calibration = calibrate(predict_logits(model, mnist.val_images), mnist.val_labels)
    results = {
        "source": mnist.source,
        "seed": options.seed,
        "val_accuracy": history.val_accuracy[-1],
        "test_accuracy": evaluate(model, mnist.test_images, mnist.test_labels).accuracy,
        "seconds": round(history.seconds[-1], 1),
    }
    save_model(model, path, recipe=recipe, results=results, overwrite=options.overwrite)
    print(f"{history.val_accuracy[-1]:.2%} of the validation images read right; weights saved to {path}")
    return 0


def _fit_with_bar(
    model: nn.Module, mnist: Mnist, *, recipe: Recipe, seed: int, device: torch.device | str | None
) -> History:
    from tqdm import tqdm

    from digitlab import fit

    with tqdm(unit="step") as bar:

        def show(progress: Progress) -> None:
            bar.total = progress.steps
            bar.set_description(f"epoch {progress.epoch}/{progress.epochs}", refresh=False)
            losses, accuracies = progress.history.batch_losses, progress.history.val_accuracy
            numbers = {"loss": f"{losses[-1]:.3f}", **({"validation": f"{accuracies[-1]:.2%}"} if accuracies else {})}
            bar.set_postfix(numbers, refresh=False)
            bar.update(progress.step - bar.n)

        return fit(model, mnist, recipe=recipe, seed=seed, device=device, on_progress=show)


def _evaluate(options: argparse.Namespace) -> int:
    from digitlab import evaluate, load_mnist, load_model
    from digitlab.unipen import read_pen_digits

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


def _doctor(options: argparse.Namespace) -> int:
    from digitlab.doctor import run_doctor

    return run_doctor(as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
