"""What is measured of a student, one concern per file.

statistics.py      a proportion, a mean, and their 95 % intervals
pass_at.py         pass@k from several chains per task
error_analysis.py  format errors, unknown tools, repeats, loops, ... each with an example task
perturbed.py       the change of the solve rate where one thing looks different
turn.py            one turn of a reference: what is asked, and what is accepted
references.py      the turns of reference trajectories: from a run, rows or a benchmark
teacher_forcing.py the student's replies at these turns, and their mean scores
kagentbench.py     the scores of one reply at such a turn
kagentbench_file.py  KAgentBench's own file as such turns
rouge.py           how similar two texts, or the arguments of two calls, are
trajectories.py    a trajectory as text, for judges
llm_judge.py       a model's score of it, from 0 to 5
tool_eval.py       ToolEval's pass rate and win rate
win_rate.py        which of two paths a model prefers
score_sheets.py    people's scores of it, through spreadsheets
scores.py          summaries of scores, and how far two judges agree
general_chat.py    the loss on held-out general chat
lm_harness.py      the tasks of EleutherAI's lm-eval
batch_ask.py       many requests at once, through the journal
"""
