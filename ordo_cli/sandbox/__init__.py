"""Brokers' own wire protocols on loopback, over the paper exchange: what adapters and official SDKs are tried against.

A gateway here and the adapter that speaks to it are written apart, each from the broker's facts alone; nothing in this
package knows an adapter or what adapters share.
"""
