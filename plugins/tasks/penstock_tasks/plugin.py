"""This plugin implements no hook: its tasks are imported from `penstock_tasks`."""
