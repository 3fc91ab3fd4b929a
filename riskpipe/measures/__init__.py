"""What risk measures need and are made of: the run's scenarios, families of bumps, tail measures of P&L vectors."""
