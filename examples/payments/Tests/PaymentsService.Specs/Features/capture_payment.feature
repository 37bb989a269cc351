Feature: Capture payment

  Scenario: Successful payment
    Given a cashier submits a valid payment
    Then the payment is recorded
