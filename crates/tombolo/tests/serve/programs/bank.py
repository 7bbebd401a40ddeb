"""Moves money, and looks at all accounts in one snapshot in between. Prints how often it looked."""
import random
import sys

from door import connect

path, way, name, transfers = sys.argv[1:5]
connection = connect(way, path)
dice = random.Random(name)
looks = 0
for number in range(int(transfers)):
    source, target = dice.sample(range(1, 21), 2)
    amount = dice.randrange(1, 50)
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("UPDATE account SET balance = balance - ? WHERE id = ?", (amount, source))
    connection.execute("UPDATE account SET balance = balance + ? WHERE id = ?", (amount, target))
    connection.execute("INSERT INTO entry VALUES(?, ?)", (name, number))
    connection.execute("COMMIT")
    if number % 3 == 0:
        connection.execute("BEGIN")
        first = connection.execute("SELECT sum(balance) FROM account").fetchone()[0]
        count = connection.execute("SELECT count(*) FROM entry").fetchone()[0]
        second = connection.execute("SELECT sum(balance) FROM account").fetchone()[0]
        again = connection.execute("SELECT count(*) FROM entry").fetchone()[0]
        connection.execute("COMMIT")
        if first != 20000 or second != 20000 or count != again:
            sys.exit(f"{name}: a snapshot shows {first}, {second}; {count}, {again}")
        looks += 1
print(looks)
