# %% [markdown]
# # Treegraft in five minutes
#
# Explore a few bundled SQL tasks with the demonstration teacher, turn the trees into training
# rows, fine-tune a small model, and measure it. No key and no GPU are needed. Run the cells in a
# notebook, or the whole file with `python examples/quickstart.py`.

# %%
import tempfile
from pathlib import Path

import treegraft as tg

folder = Path(tempfile.mkdtemp(prefix="quickstart-"))

# %% [markdown]
# ## Explore
#
# The teacher acts under a tree search (DFSDT). Everything it visits is kept in the run's folder;
# the same call continues a run that was stopped. With a key, use `teacher="gpt-4.1-mini"` and
# `max_usd=1`.

# %%
run = tg.explore(
    "bird",
    split="train",
    teacher="demonstration",
    search=tg.Dfsdt(width=2),
    limit=4,
    out=folder / "run",
)
print(run)

# %% [markdown]
# A run is a mapping from task ids to trees. A tree prints as text, and as HTML in a notebook.

# %%
task = next(iter(run))
print(run[task])

# %% [markdown]
# ## Rows
#
# Successful paths become SFT rows; a success and a failure that part at a node become DPO pairs.

# %%
rows = run.rows("sft", template="react")
pairs = run.rows("dpo", template="react")
print(rows)

# %% [markdown]
# ## Train
#
# `smollm2` is a 135M model from a Python package. Two steps only: enough to see it work.

# %%
model = tg.sft(
    rows,
    model="smollm2",
    output_dir=folder / "student",
    max_steps=2,
    gradient_accumulation_steps=1,
)
print(model, model.summary)

# %% [markdown]
# ## Evaluate
#
# The student acts in the same environment, on databases that it never saw.

# %%
report = tg.evaluate(
    model, "bird", split="test", limit=2, depth=2, max_reply_tokens=48, out=folder / "eval"
)
report.save(folder / "report.html")
print(report.solved)
