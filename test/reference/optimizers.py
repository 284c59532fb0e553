"""Regenerates test/reno/fixtures/optimizers.json: torch.optim on a small function, set as ReNO's training/optim.py sets it.

    python optimizers.py
"""
import json
from pathlib import Path

import torch

RUNS = {
    "sgd": dict(optimizer="sgd", learningRate=0.01, momentum=0.9, nesterov=True),
    "sgd without Nesterov": dict(optimizer="sgd", learningRate=0.01, momentum=0.9, nesterov=False),
    "sgd without momentum": dict(optimizer="sgd", learningRate=0.01, momentum=0.0, nesterov=False),
    "adam": dict(optimizer="adam", learningRate=0.1, momentum=0.9, nesterov=True),
    "lbfgs": dict(optimizer="lbfgs", learningRate=1.0, momentum=0.9, nesterov=True),
    "lbfgs, far steps": dict(optimizer="lbfgs", learningRate=50.0, momentum=0.9, nesterov=True),
    "lbfgs, short steps": dict(optimizer="lbfgs", learningRate=0.002, momentum=0.9, nesterov=True),
}
START = [-1.2, 1.0, 0.5, -0.7, 1.5, 0.3]


def value(x):
    """Rosenbrock's valley, and a ripple that makes line searches work."""
    valley = (5 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()
    return valley + torch.sin(3 * x).sum()


def optimizer_of(run, x):
    rate = run["learningRate"]
    if run["optimizer"] == "adam":
        return torch.optim.Adam([x], lr=rate, eps=1e-2)
    if run["optimizer"] == "lbfgs":
        return torch.optim.LBFGS([x], lr=rate, max_iter=10, history_size=3, line_search_fn="strong_wolfe")
    return torch.optim.SGD([x], lr=rate, momentum=run["momentum"], nesterov=run["nesterov"])


def trajectory(run, steps=6):
    x = torch.nn.Parameter(torch.tensor(START, dtype=torch.float64))
    optimizer = optimizer_of(run, x)
    count = 0

    def closure():
        nonlocal count
        count += 1
        optimizer.zero_grad()
        loss = value(x)
        loss.backward()
        return loss

    found = []
    for _ in range(steps):
        optimizer.step(closure)
        found.append({"x": x.detach().tolist(), "evaluations": count})
    return found


if __name__ == "__main__":
    runs = {name: {"settings": run, "steps": trajectory(run)} for name, run in RUNS.items()}
    path = Path(__file__).parent.parent / "reno/fixtures/optimizers.json"
    path.write_text(json.dumps({"torch": torch.__version__, "start": START, "runs": runs}) + "\n")
    for name, run in runs.items():
        print(name, run["steps"][-1])
