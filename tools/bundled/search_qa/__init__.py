"""The bundled pages and multi-hop questions, made from the bundled graph of `tools.bundled.kg`.

`python -m tools.bundled.search_qa` rewrites the files under `environments/search_qa/data/`.
"""
