"""
The behaviour that every adapter of a port must show, whatever it is made of.

Each suite is an abstract class; subclass it in your tests, give it the fixture that it
asks for, and pytest does the rest. A class that merely has the methods of a port is not
yet an adapter.
"""
