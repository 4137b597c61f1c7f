"""A hardware store: products and who supplies them, customers, orders and their lines."""

import random
from collections.abc import Iterator

from tools.bundled.sql.words import (
    Row,
    amount,
    day,
    items,
    later,
    links,
    maybe,
    people,
    words,
)

SCHEMA = """
CREATE TABLE suppliers (
    supplier_id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    city TEXT NOT NULL,
    phone TEXT,
    rating REAL
);
CREATE TABLE products (
    product_id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    department TEXT NOT NULL,
    price REAL NOT NULL,
    stock INTEGER NOT NULL,
    reorder_level INTEGER NOT NULL,
    weight_kg REAL
);
CREATE TABLE product_suppliers (
    product_id INTEGER NOT NULL REFERENCES products (product_id),
    supplier_id INTEGER NOT NULL REFERENCES suppliers (supplier_id),
    unit_cost REAL NOT NULL,
    lead_days INTEGER NOT NULL,
    PRIMARY KEY (product_id, supplier_id)
);
CREATE TABLE customers (
    customer_id INTEGER PRIMARY KEY,
    full_name TEXT NOT NULL,
    kind TEXT NOT NULL,
    city TEXT NOT NULL,
    customer_since TEXT NOT NULL
);
CREATE TABLE orders (
    order_id INTEGER PRIMARY KEY,
    customer_id INTEGER NOT NULL REFERENCES customers (customer_id),
    ordered_on TEXT NOT NULL,
    shipped_on TEXT,
    status TEXT NOT NULL
);
CREATE TABLE order_items (
    order_id INTEGER NOT NULL REFERENCES orders (order_id),
    product_id INTEGER NOT NULL REFERENCES products (product_id),
    quantity INTEGER NOT NULL,
    unit_price REAL NOT NULL,
    PRIMARY KEY (order_id, product_id)
);
"""

DESCRIPTIONS = {
    "suppliers": """\
supplier_id,supplier id,identifies the supplier,integer,
name,name,the company's name,text,
city,city,where the company is,text,
phone,phone,telephone number,text,empty: none known
rating,rating,the store's rating of the supplier,real,from 1 to 5; empty: not rated yet
""",
    "products": """\
product_id,product id,identifies the product,integer,
name,name,what it is called,text,
department,department,part of the store,text,"electrical, garden, paint, plumbing or tools"
price,price,shelf price today,real,in dollars
stock,stock,pieces in the store,integer,
reorder_level,reorder level,stock below which it must be ordered,integer,
weight_kg,weight,weight of a piece,real,in kilograms; empty: not weighed
""",
    "product_suppliers": """\
product_id,product id,the product,integer,
supplier_id,supplier id,a supplier of it,integer,
unit_cost,unit cost,what the store pays for a piece,real,in dollars
lead_days,lead days,days from ordering to delivery,integer,
""",
    "customers": """\
customer_id,customer id,identifies the customer,integer,
full_name,full name,the customer's name,text,
kind,kind,kind of customer,text,"T: tradesperson, R: private (retail)"
city,city,where the customer lives,text,
customer_since,customer since,day of the first purchase,date,YYYY-MM-DD
""",
    "orders": """\
order_id,order id,identifies the order,integer,
customer_id,customer id,who ordered,integer,
ordered_on,ordered on,day of the order,date,YYYY-MM-DD
shipped_on,shipped on,day the goods left the store,date,empty: not shipped
status,status,state of the order,text,"shipped, open or cancelled"
""",
    "order_items": """\
order_id,order id,the order,integer,
product_id,product id,a product ordered,integer,
quantity,quantity,how many pieces,integer,
unit_price,unit price,price of a piece at that time,real,in dollars
""",
}

CITIES = words("Bristow Camden Dunmore Easton Lakeside")
COMPANIES = items(
    "Acorn Tools,Bluestone Supply,Copperline,Delta Fixings,Evergreen Garden,Fastgrip,"
    "Granite Works,Hillside Paints,Ironwood,Junction Electric,Keystone Pipes,Lowland Timber,"
    "Metro Lighting,Northstar Hardware,Oakleaf Trade,Pioneer Plastics"
)
GOODS = {
    "tools": "Claw Hammer,Hand Saw,Screwdriver Set,Wrench,Tape Measure,Drill,Spirit Level,Pliers",
    "garden": "Garden Hose,Rake,Spade,Pruning Shears,Watering Can,Wheelbarrow,Plant Pot",
    "paint": "Wall Paint,Wood Varnish,Paint Roller,Masking Tape,Brush Set,Primer",
    "plumbing": "Copper Pipe,Ball Valve,Kitchen Faucet,Drain Cleaner,Pipe Clamp,Shower Head",
    "electrical": "LED Bulb,Extension Cord,Wall Socket,Light Switch,Cable Reel,Smoke Alarm",
}
GRADES = ("Basic", "Pro")


def stockroom(rng: random.Random) -> Iterator[Row]:
    """Suppliers, products and who supplies what."""
    for key, name in enumerate(COMPANIES, 1):
        phone = maybe(rng, 0.25, f"555-{rng.randint(1000, 9999)}")
        rating = maybe(rng, 0.2, amount(rng, 2, 5, 1))
        yield "suppliers", (key, name, rng.choice(CITIES), phone, rating)
    key = 0
    prices = []
    for department, names in GOODS.items():
        for name in names.split(","):
            base = amount(rng, 4, 90)
            for factor, grade in enumerate(GRADES, 1):
                key += 1
                price = round(base * factor * rng.uniform(0.9, 1), 2)
                prices.append(price)
                shelf = rng.randint(0, 140), rng.choice((10, 20, 30))
                weight = maybe(rng, 0.2, amount(rng, 0.1, 4.5))
                yield "products", (key, f"{grade} {name}", department, price, *shelf, weight)
    for product, supplier in links(rng, 66, 15, 1, 3):
        cost = round(prices[product - 1] * rng.uniform(0.4, 0.85), 2)
        yield "product_suppliers", (product, supplier, cost, rng.randint(2, 30))


def rows() -> Iterator[Row]:
    """All rows, parents before children."""
    rng = random.Random(606)
    stock = list(stockroom(rng))
    yield from stock
    prices = [values[3] for table, values in stock if table == "products"]
    for key, name in enumerate(people(rng, 44), 1):
        who = name, rng.choice("TRR"), rng.choice(CITIES)
        yield "customers", (key, *who, day(rng, "2015-01-01", "2022-12-31"))
    for key in range(1, 106):
        ordered = day(rng, "2023-01-03", "2024-12-30")
        status = rng.choice(("shipped",) * 6 + ("open", "cancelled"))
        shipped = later(ordered, rng.randint(0, 12)) if status == "shipped" else None
        yield "orders", (key, rng.randint(1, 40), ordered, shipped, status)
    for order, product in links(rng, 105, 62, 1, 3):
        price = prices[product - 1]
        assert isinstance(price, float)
        paid = round(price * rng.choice((1, 1, 0.9, 0.95)), 2)
        yield "order_items", (order, product, rng.randint(1, 12), paid)
