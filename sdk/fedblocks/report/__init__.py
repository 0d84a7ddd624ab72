"""An instance as one page to keep, send and print: what was trained, who was judged how, where money went."""
