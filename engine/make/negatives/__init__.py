"""Make hard negatives: tasks that look as if they needed a call, and do not."""
