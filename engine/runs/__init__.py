"""Explore tasks into a run folder, store the trees and summarise them."""
