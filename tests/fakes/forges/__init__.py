"""Servers that speak as much of GitHub's, GitLab's and Bitbucket's documented APIs as penstock reads, on real sockets.

They serve repositories that a test makes, and go wrong where it says so.
"""
