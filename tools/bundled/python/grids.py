"""Functions over rectangular grids, given as lists of rows."""

from collections import deque

from tools.bundled.python.topic import Topic

TOPIC = Topic("grids", "train")


@TOPIC.function(["[[1, 2, 3], [4, 5, 6]]"], ["[]", "[[7]]", "[[1], [2], [3]]"])
def columns(grid: list[list[int]]) -> list[list[int]]:
    """Make the list of a grid's columns, from the left, each from top to bottom."""
    return [list(column) for column in zip(*grid, strict=True)]


@TOPIC.function(["['*.', '.*']"], ["['***', '***', '***']", "['.']", "['.*.', '...']"])
def mine_counts(field: list[str]) -> list[list[int]]:
    """In a field a star is a mine. Make a grid of the same shape that says for each cell how many
    of the up to eight cells around it are mines; the cell itself does not count."""
    counts = []
    for r in range(len(field)):
        row = []
        for c in range(len(field[r])):
            near = 0
            for i in range(max(r - 1, 0), min(r + 2, len(field))):
                for j in range(max(c - 1, 0), min(c + 2, len(field[i]))):
                    near += field[i][j] == "*" and (i, j) != (r, c)
            row.append(near)
        counts.append(row)
    return counts


@TOPIC.function(
    ["['#..', '..#', '###']"], ["[]", "['...']", "['#.#', '.#.', '#.#']", "['##', '##']"]
)
def islands(map_rows: list[str]) -> int:
    """On a map '#' is land. Land that touches at a side belongs together. How many islands are
    there?"""
    land = {(r, c) for r, row in enumerate(map_rows) for c, sign in enumerate(row) if sign == "#"}
    count = 0
    while land:
        count += 1
        waiting = [land.pop()]
        while waiting:
            r, c = waiting.pop()
            for near in ((r + 1, c), (r - 1, c), (r, c + 1), (r, c - 1)):
                if near in land:
                    land.remove(near)
                    waiting.append(near)
    return count


@TOPIC.function(
    ["['S.', '#E']"], ["['SE']", "['S#E']", "['S..', '##.', 'E..']", "['S.#', '...', '#.E']"]
)
def shortest_way(maze: list[str]) -> int:
    """How many steps up, down, left or right does it take at least from S to E? '#' is a wall. The
    answer is -1 if there is no way. There is one S and one E."""
    cells = {(r, c): sign for r, row in enumerate(maze) for c, sign in enumerate(row)}
    start = next(place for place, sign in cells.items() if sign == "S")
    seen = {start}
    waiting = deque([(start, 0)])
    while waiting:
        (r, c), steps = waiting.popleft()
        if cells[r, c] == "E":
            return steps
        for near in ((r + 1, c), (r - 1, c), (r, c + 1), (r, c - 1)):
            if cells.get(near, "#") != "#" and near not in seen:
                seen.add(near)
                waiting.append((near, steps + 1))
    return -1


@TOPIC.function(["[[1, 2], [3, 4]]"], ["[[5]]", "[[1, 2, 3], [4, 5, 6], [7, 8, 9]]", "[]"])
def quarter_turn(grid: list[list[int]]) -> list[list[int]]:
    """Turn a grid clockwise by a quarter."""
    return [list(row) for row in zip(*grid[::-1], strict=True)]


@TOPIC.function(
    ["[[1, 2, 3], [4, 5, 6], [7, 8, 9]]"],
    ["[[1, 2], [3, 4], [5, 6]]", "[[4]]", "[[1, 2, 3]]", "[[1], [2], [3]]"],
)
def border_sum(grid: list[list[int]]) -> int:
    """Add up the numbers on the border of a grid that is not empty, each cell once."""
    last_row, last_column = len(grid) - 1, len(grid[0]) - 1
    total = 0
    for r, row in enumerate(grid):
        for c, number in enumerate(row):
            if r in (0, last_row) or c in (0, last_column):
                total += number
    return total


@TOPIC.function(
    ["['XO.', 'XO.', 'X..']"],
    [
        "['XOX', 'OXO', 'OXO']",
        "['..O', '.O.', 'O..']",
        "['OOO', 'XX.', 'X..']",
        "['...', '...', '...']",
    ],
)
def winner(board: list[str]) -> str:
    """Three rows of three signs are a board of noughts and crosses: X, O, or a full stop. Who has
    three in a row, column or diagonal? Return 'X', 'O', or the empty string."""
    lines = list(board)
    lines += ["".join(row[c] for row in board) for c in range(3)]
    lines += ["".join(board[i][i] for i in range(3)), "".join(board[i][2 - i] for i in range(3))]
    for sign in "XO":
        if sign * 3 in lines:
            return sign
    return ""


@TOPIC.function(["3"], ["0", "1", "2", "5"])
def spiral(size: int) -> list[list[int]]:
    """Fill a square of the given size with 1, 2, 3, ... along a spiral that starts at the top left,
    goes to the right, and turns inwards clockwise."""
    grid = [[0] * size for _ in range(size)]
    r, c, dr, dc = 0, 0, 0, 1
    for number in range(1, size * size + 1):
        grid[r][c] = number
        ahead_r, ahead_c = r + dr, c + dc
        blocked = not (0 <= ahead_r < size and 0 <= ahead_c < size)
        if blocked or grid[ahead_r][ahead_c]:
            dr, dc = dc, -dr
        r, c = r + dr, c + dc
    return grid
